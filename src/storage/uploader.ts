/**
 * Sends finished variants while others are still being made. Files wait on disk, not in memory; a variant's
 * `timing.json` goes after all its other objects are confirmed, and the run's manifest after all variants.
 */
import { setMaxListeners } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { hashBytes } from '../artifacts/file-state.ts'
import { cacheControlOf, contentTypeOf, MANIFEST_NAME, TIMING_NAME } from '../artifacts/layout.ts'
import type { Ledger, SentObject } from '../artifacts/ledger.ts'
import { messageOf, PregenError } from '../errors.ts'
import { type ByteBudget, createByteBudget } from './byte-budget.ts'
import { createRemoteState, type RemoteState } from './remote-state.ts'
import { UploadError } from './s3-errors.ts'
import type { Storage } from './storage.ts'
import type { UploadEvent, UploadFile, UploadFolder } from './upload-folder.ts'

export type { UploadEvent, UploadFile, UploadFolder } from './upload-folder.ts'

export interface UploadFailure {
  readonly key: string
  readonly attempts: number
  readonly error: PregenError
}

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
   * @returns resolves, never rejects, when it has been dealt with: whether all of it is confirmed
   */
  add(folder: UploadFolder): Promise<boolean>
  /** The manifest, sent in `drain` when every folder has been dealt with. */
  setManifest(key: string, bytes: Uint8Array): void
  /** Waits for everything; what failed for a passing reason is tried once more. */
  drain(options?: { deadlineMs?: number }): Promise<UploadSummary>
  /** Figures so far. */
  progress(): { readonly uploaded: number; readonly unfinishedFolders: number; readonly heldBytes: number }
}

export interface UploaderOptions {
  readonly storage: Storage
  /** Remembers what was sent; without one everything is sent. */
  readonly ledger?: Ledger | undefined
  readonly emit: (event: UploadEvent) => void
  /** Requests at once. */
  readonly concurrency?: number | undefined
  /** Bytes of bodies in memory at once. */
  readonly maxBytesInFlight?: number | undefined
  /** Skip by what the bucket lists, not by what the ledger remembers. */
  readonly verifyRemote?: boolean | undefined
  /** Key prefix of the version, `foigoi/<version>`: what is listed for `verifyRemote` and for stale markers. */
  readonly prefix: string
  /** In `drain`: how long the store may confirm nothing at all before the rest is given up. */
  readonly stallMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export const MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
const STALL_MS = 240_000

interface Work {
  readonly options: UploaderOptions
  readonly budget: ByteBudget
  readonly remote: RemoteState
  readonly limit: ReturnType<typeof pLimit>
  readonly abort: AbortController
  uploaded: number
  uploadedBytes: number
  skipped: number
  lastConfirmedAt: number
}

/** A folder on its way. */
interface Job {
  readonly folder: UploadFolder
  /** What the store lacks: all until it is known better, then less with each confirmed object. */
  readonly left: Map<string, UploadFile>
  isChecked: boolean
}

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
    abort,
    uploaded: 0,
    uploadedBytes: 0,
    skipped: 0,
    lastConfirmedAt: performance.now(),
  }
  // Folders and objects have a limiter each: work nested in one limiter would wait for itself.
  const folderLimit = pLimit(concurrency)
  const failures = new Map<string, UploadFailure>()
  const running = new Map<Job, Promise<boolean>>()
  const unfinished = new Set<Job>()
  const postponed: Job[] = []
  let manifest: { key: string; bytes: Uint8Array } | undefined
  let isLastRound = false

  const report = (failure: UploadFailure) => {
    const { key, attempts, error } = failure
    failures.set(key, failure)
    options.emit({ type: 'upload-failed', key, attempts, message: error.message })
  }
  const send = async (job: Job): Promise<boolean> => {
    const failed = await folderLimit(() => sendFolder(work, job))
    if (failed.length === 0 && job.left.size === 0) {
      unfinished.delete(job)
      return true
    }
    // What was stopped is told once, as pending, not once an object.
    const own = failed.filter(({ error }) => !STOPPED.has(error.code))
    if (!isLastRound && own.length > 0 && own.every(({ error }) => PASSING.has(error.code)))
      postponed.push(job)
    else for (const failure of own) report(failure)
    return false
  }
  const start = (job: Job): Promise<boolean> => {
    const done = send(job).finally(() => running.delete(job))
    running.set(job, done)
    return done
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
      return start(job)
    },
    setManifest(key, bytes) {
      manifest = { key, bytes }
    },
    async drain({ deadlineMs } = {}) {
      const stallMs = options.stallMs ?? STALL_MS
      work.lastConfirmedAt = performance.now()
      const deadline = deadlineMs === undefined ? undefined : setTimeout(onAbort, deadlineMs)
      const watch = setInterval(
        () => {
          if (performance.now() - work.lastConfirmedAt >= stallMs)
            abort.abort(stalledError(options.storage, stallMs))
        },
        Math.min(1000, stallMs / 4),
      )
      try {
        await finish()
      } finally {
        clearTimeout(deadline)
        clearInterval(watch)
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

/** Failures that may have passed by the time that everything else is done. */
const PASSING = new Set(['E_UPLOAD_TIMEOUT', 'E_UPLOAD_FAILED', 'E_UPLOAD_UNCONFIRMED', 'E_WRONG_ENDPOINT'])
const STOPPED = new Set(['E_UPLOAD_ABORTED', 'E_UPLOAD_STALLED'])

/** Sends what the store lacks of a folder: an earlier set's marker goes first, this one's comes last. */
async function sendFolder(work: Work, job: Job): Promise<readonly UploadFailure[]> {
  const { remote, options } = work
  const { folder, left } = job
  const confirmed: Record<string, SentObject> = {}
  const failures: UploadFailure[] = []
  try {
    work.abort.signal.throwIfAborted()
    if (!job.isChecked) await checkFolder(work, job)
    const sendOne = async (file: UploadFile) => {
      try {
        confirmed[file.name] = await work.limit(() => sendFile(work, folder, file))
        left.delete(file.name)
      } catch (error) {
        failures.push(failureOf(`${folder.key}/${file.name}`, error))
      }
    }
    const marker = left.get(TIMING_NAME)
    await Promise.all([...left.values()].filter((file) => file !== marker).map(sendOne))
    if (failures.length === 0) await remote.removeOrphans(folder.key, folder.files)
    if (failures.length === 0 && marker) await sendOne(marker)
  } catch (error) {
    failures.push(failureOf(folder.key, error))
  }
  if (options.ledger && Object.keys(confirmed).length > 0) {
    try {
      await options.ledger.recordSent(options.storage.description, folder.key, confirmed)
    } catch (error) {
      failures.push(failureOf(folder.key, error))
    }
  }
  return failures
}

/** Finds what the store lacks, and makes the store ready for it. */
async function checkFolder(work: Work, job: Job): Promise<void> {
  const { folder, left } = job
  const md5Of = async (file: UploadFile) =>
    file.md5 ?? hashBytes(await readFile(join(folder.folder, file.name)), 'md5')
  for (const file of folder.files) {
    if (await work.remote.has(folder.key, file, () => md5Of(file))) left.delete(file.name)
  }
  const marker = folder.files.find((file) => file.name === TIMING_NAME)
  if (left.size > 0) {
    const taken = await work.remote.retract(folder.key, [...left.values()])
    if (taken && marker) left.set(marker.name, marker)
  }
  work.skipped += folder.files.length - left.size
  job.isChecked = true
}

async function sendFile(work: Work, folder: UploadFolder, file: UploadFile): Promise<SentObject> {
  const release = await work.budget.take(file.sizeBytes)
  try {
    work.abort.signal.throwIfAborted()
    const path = join(folder.folder, file.name)
    const body = await readFile(path)
    // What goes out must be what was made: a file that changed since is not passed off as it.
    if (body.byteLength !== file.sizeBytes || hashBytes(body) !== file.sha256) {
      throw new PregenError('E_FILE_CHANGED', `${path} is no longer what was written`, {
        help: 'Run the sheet again: the variant is made anew.',
        exitCode: 3,
      })
    }
    return await putObject(work, `${folder.key}/${file.name}`, body, file)
  } finally {
    release()
  }
}

async function putObject(
  work: Work,
  key: string,
  body: Uint8Array,
  { sha256, md5 }: Pick<UploadFile, 'sha256' | 'md5'>,
): Promise<SentObject> {
  const { storage, emit } = work.options
  const { etag, attempts } = await storage.put(
    { key, body, sha256, md5, contentType: contentTypeOf(key), cacheControl: cacheControlOf(key) },
    { signal: work.abort.signal },
  )
  work.uploaded += 1
  work.uploadedBytes += body.byteLength
  work.lastConfirmedAt = performance.now()
  emit({ type: 'object-uploaded', key, sizeBytes: body.byteLength, attempts })
  return { sha256, sizeBytes: body.byteLength, etag }
}

async function sendManifest(work: Work, key: string, bytes: Uint8Array): Promise<UploadFailure | null> {
  const { ledger, storage } = work.options
  const folder = key.slice(0, -MANIFEST_NAME.length - 1)
  const file = { name: MANIFEST_NAME, sha256: hashBytes(bytes), sizeBytes: bytes.byteLength }
  try {
    const md5 = async () => hashBytes(bytes, 'md5')
    if (await work.remote.has(folder, file, md5)) {
      work.skipped += 1
      return null
    }
    const sent = await putObject(work, key, bytes, file)
    await ledger?.recordSent(storage.description, folder, { [MANIFEST_NAME]: sent })
    return null
  } catch (error) {
    return failureOf(key, error)
  }
}

function failureOf(key: string, error: unknown): UploadFailure {
  const attempts = error instanceof UploadError ? error.attempts : 0
  if (error instanceof PregenError) return { key, attempts, error }
  if (error instanceof Error && error.name === 'AbortError') return { key, attempts, error: abortedError() }
  return { key, attempts, error: new PregenError('E_UPLOAD_FAILED', messageOf(error), { cause: error }) }
}

function abortedError(): PregenError {
  return new PregenError('E_UPLOAD_ABORTED', 'the upload was stopped', {
    help: 'Run `pregen upload` on the output folder: it sends only what is missing.',
    exitCode: 3,
  })
}

function stalledError(storage: Storage, stallMs: number): PregenError {
  return new PregenError(
    'E_UPLOAD_STALLED',
    `${storage.description} has confirmed nothing for ${Math.round(stallMs / 1000)} s`,
    {
      help: 'Run `pregen upload` on the output folder when the store answers again: it sends only what is missing.',
      exitCode: 3,
    },
  )
}
