/**
 * Sends finished variants while others are still being made. Files wait on disk, not in memory; a variant's
 * `timing.json` goes after all its other objects are confirmed, and the run's manifest after all variants.
 */
import { setMaxListeners } from 'node:events'
import pLimit from 'p-limit'
import { PregenError } from '../errors.ts'
import { watchSilence } from '../net/silence.ts'
import type { BucketContents } from './bucket-contents.ts'
import { createByteBudget } from './byte-budget.ts'
import { createBodyReader } from './read-body.ts'
import { createRemoteState } from './remote-state.ts'
import { type Job, type SendOptions, sendFolder, sendManifest, type Work } from './send-folder.ts'
import { abortedError, PASSING, STOPPED, stalledError, type UploadFailure } from './upload-failure.ts'
import type { UploadFolder } from './upload-folder.ts'

export type { UploadFailure } from './upload-failure.ts'
export type { UploadEvent, UploadFile, UploadFolder } from './upload-folder.ts'

export interface UploadSummary {
  readonly uploaded: number
  readonly uploadedBytes: number
  /** Objects that the bucket had already. */
  readonly skipped: number
  readonly failures: readonly UploadFailure[]
  /** Objects that were not sent when the time was up, or after an abort. */
  readonly pending: number
}

export interface Uploader {
  /**
   * Takes a finished folder and returns at once.
   * @returns resolves, never rejects, when it has been dealt with, in the second round where the first failed: whether
   *   all of it is confirmed
   */
  add(folder: UploadFolder): Promise<boolean>
  /** The manifest, sent in `drain` when every folder has been dealt with. */
  setManifest(key: string, bytes: Uint8Array): void
  /** Waits for everything; what failed for a passing reason is tried once more. */
  drain(options?: { deadlineMs?: number }): Promise<UploadSummary>
  /** Figures so far. */
  progress(): { readonly uploaded: number; readonly unfinishedFolders: number; readonly heldBytes: number }
}

export interface UploaderOptions extends SendOptions {
  /** Requests at once. */
  readonly concurrency?: number | undefined
  /** Bytes of bodies in memory at once. */
  readonly maxBytesInFlight?: number | undefined
  /** Skip by what the bucket lists, not by what the ledger remembers. */
  readonly verifyRemote?: boolean | undefined
  /** What a listing at plan time found: spares another. */
  readonly contents?: BucketContents | undefined
  /** Whether units have records in the store. */
  readonly hasRecords?: boolean | undefined
  /** Key prefix of the version, `foigoi/<version>`: what is listed for `verifyRemote` and for stale markers. */
  readonly prefix: string
  /** In `drain`: how long the store may confirm nothing at all before the rest is given up. */
  readonly stallMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
const STALL_MS = 240_000

export function createUploader(options: UploaderOptions): Uploader {
  const concurrency = options.concurrency ?? 16
  const abort = new AbortController()
  // One listener a request and pause, removed again; Node warns at eleven.
  setMaxListeners(0, abort.signal)
  const onAbort = () => abort.abort(abortedError())
  if (options.signal?.aborted) onAbort()
  options.signal?.addEventListener('abort', onAbort, { once: true })
  const work: Work = {
    options,
    budget: createByteBudget(options.maxBytesInFlight ?? MAX_BYTES_IN_FLIGHT),
    remote: createRemoteState({ ...options, signal: abort.signal }),
    limit: pLimit(concurrency),
    readBody: createBodyReader(),
    abort,
    uploaded: 0,
    uploadedBytes: 0,
    skipped: 0,
    lastConfirmedAt: performance.now(),
  }
  // Folders and objects have a limiter each: work nested in one limiter would wait for itself.
  const folderLimit = pLimit(concurrency)
  const failures = new Map<string, UploadFailure>()
  const running = new Map<Job, Promise<void>>()
  const unfinished = new Set<Job>()
  const postponed: Job[] = []
  const outcomes = new Map<Job, (isSent: boolean) => void>()
  let manifest: { key: string; bytes: Uint8Array } | undefined
  let isLastRound = false

  const report = (failure: UploadFailure) => {
    const { key, attempts, error } = failure
    failures.set(key, failure)
    options.emit({ type: 'upload-failed', key, attempts, message: error.message })
  }
  const conclude = (job: Job, isSent: boolean): void => {
    outcomes.get(job)?.(isSent)
    outcomes.delete(job)
  }
  const send = async (job: Job): Promise<void> => {
    const failed = await folderLimit(() => sendFolder(work, job))
    if (failed.length === 0 && job.left.size === 0) {
      unfinished.delete(job)
      conclude(job, true)
      return
    }
    // What was stopped is told once, as pending, not once an object.
    const own = failed.filter(({ error }) => !STOPPED.has(error.code))
    if (!isLastRound && own.length > 0 && own.every(({ error }) => PASSING.has(error.code))) {
      postponed.push(job)
      return
    }
    for (const failure of own) report(failure)
    conclude(job, false)
  }
  const start = (job: Job): void => {
    running.set(
      job,
      send(job).finally(() => running.delete(job)),
    )
  }
  const settle = async () => {
    while (running.size > 0) await Promise.all(running.values())
  }
  const finish = async () => {
    await settle()
    isLastRound = true
    for (const job of postponed.splice(0)) start(job)
    await settle()
    if (!manifest || unfinished.size > 0 || abort.signal.aborted) return
    const failure = await sendManifest(work, manifest.key, manifest.bytes)
    if (failure) report(failure)
    else manifest = undefined
  }

  return {
    add(folder) {
      const left = new Map(folder.files.map((file) => [file.name, file]))
      const job: Job = { folder, left, isChecked: false }
      unfinished.add(job)
      const outcome = new Promise<boolean>((resolve) => {
        outcomes.set(job, resolve)
      })
      start(job)
      return outcome
    },
    setManifest(key, bytes) {
      manifest = { key, bytes }
    },
    async drain({ deadlineMs } = {}) {
      const stallMs = options.stallMs ?? STALL_MS
      const deadline = deadlineMs === undefined ? undefined : setTimeout(onAbort, deadlineMs)
      let seenAt = work.lastConfirmedAt
      const onSilent = () => abort.abort(stalledError(options.storage, stallMs))
      const watch = watchSilence({ limitMs: () => stallMs, onSilent })
      const listen = setInterval(
        () => {
          if (work.lastConfirmedAt !== seenAt) watch.noteSign()
          seenAt = work.lastConfirmedAt
        },
        Math.min(1000, stallMs / 8),
      )
      try {
        await finish()
      } finally {
        clearTimeout(deadline)
        watch.stop()
        clearInterval(listen)
        options.signal?.removeEventListener('abort', onAbort)
      }
      const reason: unknown = abort.signal.reason
      if (reason instanceof PregenError && reason.code === 'E_UPLOAD_STALLED') {
        report({ key: options.prefix, attempts: 0, error: reason })
      }
      let pending = manifest ? 1 : 0
      for (const { folder, left } of unfinished) {
        for (const name of left.keys()) if (!failures.has(`${folder.key}/${name}`)) pending += 1
      }
      if (manifest && failures.has(manifest.key)) pending -= 1
      const { uploaded, uploadedBytes, skipped } = work
      return { uploaded, uploadedBytes, skipped, failures: [...failures.values()], pending }
    },
    progress: () => ({
      uploaded: work.uploaded,
      unfinishedFolders: unfinished.size,
      heldBytes: work.budget.held,
    }),
  }
}
