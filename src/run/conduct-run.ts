/**
 * A run from its plan to its end: lock, ledger, bucket, models one after the other, manifest, uploads. Everything it does
 * is told as events; everything it needs to know came as options.
 */
import { dirname, join } from 'node:path'
import { removeFolder } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { sweepTemporaryFiles } from '../artifacts/durable-write.ts'
import { type Ledger, openLedger } from '../artifacts/ledger.ts'
import type { LossOfLock } from '../artifacts/lock.ts'
import { type Origin, openOrigin } from '../artifacts/origin.ts'
import { openOutputFolder, refuseLinkedFolder } from '../artifacts/output-folder.ts'
import { type PublishedPageFile, readPage, writePage } from '../artifacts/page.ts'
import { createInjection, writeHookOf } from '../engine/injection.ts'
import { messageOf } from '../errors.ts'
import { createVideoWriter } from '../media/video-writer.ts'
import { announce, warnOnce } from './announce.ts'
import { askBucket, recordTouched, rememberPart } from './ask-bucket.ts'
import { rememberBucket } from './bucket-target.ts'
import { checkCallbackTarget, createCallbacks } from './callbacks.ts'
import { createDelivery } from './delivery.ts'
import { drawModels } from './draw-models.ts'
import type { Drawing } from './drawing.ts'
import { createInitImages } from './init-images.ts'
import { createKeyframes } from './keyframes.ts'
import { lockLost, lockOutput, outputRemoved } from './lock-output.ts'
import { makeFilms, withFilms } from './make-films.ts'
import { checkBucketEndpoint, closingAfter, policyOf } from './open-bucket.ts'
import { type OpenedEngine, openEngine } from './open-engine.ts'
import { reduce } from './reduce.ts'
import { createReferences } from './reference-images.ts'
import { findRemovedUnits } from './removed-units.ts'
import type { RunRequest } from './run-request.ts'
import { createSender } from './sender.ts'
import { createSourceVideos } from './source-videos.ts'
import { INITIAL_STATE } from './state.ts'
import { type RunSummary, summarize } from './summary.ts'
import type { UnitServices } from './unit-life.ts'
import { type FileSystemWatch, watchFileSystem } from './warn-of-file-system.ts'
import { type WrittenManifest, writeManifest } from './write-manifest.ts'

/**
 * Runs what the plan asks for and is not there yet.
 * @throws PregenError before the first unit (lock, bucket, provider); later faults are events and counts
 */
export async function conductRun(request: RunRequest): Promise<RunSummary> {
  const { prepared, options } = request
  const { layout } = prepared
  if (!options.dryRun) checkBucketEndpoint(prepared.sheet, policyOf(options))
  await openOutputFolder(layout.out)
  refuseLinkedFolder(layout.out, join(dirname(layout.manifestPath), 'cues'))
  // A machine that slept for long may wake to find its folder taken over: nothing more is written then.
  const lost = new AbortController()
  const injection = createInjection(options.injection)
  const onPoint = writeHookOf(injection)
  const fileSystem = watchFileSystem(layout.out)
  const onLost = (why: LossOfLock) => {
    lost.abort(why === 'removed' ? outputRemoved(layout.out) : lockLost(layout.out))
  }
  let restore: (() => void) | null = null
  const onRestored = () => restore?.()
  const lock = await lockOutput(layout.state.lockPath, { onLost, onRestored, onPoint }).catch(
    (error: unknown) => {
      fileSystem.end()
      throw error
    },
  )
  const signal = AbortSignal.any([options.signal, lost.signal])
  try {
    // Only now, with the lock held, is a temporary file certainly nobody's.
    await sweepTemporaryFiles(layout.out, layout.state.runsFolder)
    removeFolder(confine(layout.out), layout.state.liveFolder)
    const origin = openOrigin(options.stateDir)
    await rememberBucket(layout.out, prepared.sheet.storage, prepared.shard, origin)
    const ledger = await openLedger(layout.state.ledgerPath, { onPoint, origin })
    const restoring: Promise<void>[] = []
    restore = () => void restoring.push(restoreState(request, ledger, origin))
    try {
      const { engine, cardMemoryMib } = await openEngine(request)
      try {
        const current = { ...request, options: { ...options, signal }, engine, cardMemoryMib }
        const look = async () => {
          await lock.check()
          await Promise.all(restoring)
        }
        const parts = { ledger, injection, fileSystem, lost: lost.signal, look }
        return await runPlanned({ ...current, ...parts })
      } finally {
        await engine.close()
      }
    } finally {
      await Promise.all(restoring)
      await ledger.close()
    }
  } finally {
    await lock.release()
    fileSystem.end()
  }
}

/** What the run knows, written anew into a state folder that somebody has removed. */
async function restoreState({ prepared, bus }: RunRequest, ledger: Ledger, origin: Origin): Promise<void> {
  const { layout, sheet, shard } = prepared
  const folder = layout.state.folder
  try {
    await ledger.restore()
    await rememberBucket(layout.out, sheet.storage, shard, origin)
    const message = `${folder} was removed while the run was at work: it was made anew with what this run knows; its log is gone.`
    bus.emit({ type: 'warning', code: 'W_STATE_REMOVED', message })
  } catch (error) {
    const message = `${folder} was removed while the run was at work, and cannot be made anew: ${messageOf(error)}. The next run draws again what it would have known of.`
    bus.emit({ type: 'warning', code: 'W_STATE_REMOVED', message })
  }
}

interface LockedRun extends RunRequest, OpenedEngine {
  readonly ledger: Ledger
  readonly injection: ReturnType<typeof createInjection>
  readonly fileSystem: FileSystemWatch
  /** Aborted when another process has taken the folder over. */
  readonly lost: AbortSignal
  /** Looks whether lock and state are still there, and makes them anew where they can be. */
  readonly look: () => Promise<void>
}

async function runPlanned(run: LockedRun): Promise<RunSummary> {
  const { prepared, options, ledger, injection, engine, bus } = run
  const { emit } = bus
  let state = INITIAL_STATE
  bus.subscribe((event) => {
    state = reduce(state, event)
  })
  const before = engine.figures()
  const { storage, findings } = await askBucket(run)
  const { decisions } = findings
  const toRun = decisions.filter(({ action }) => action === 'run').map(({ entry }) => entry)
  const sender = await closingAfter(storage, async () => {
    announce(run, findings, toRun)
    run.fileSystem.tellTo((warning) => emit({ type: 'warning', ...warning }))
    await recordTouched(decisions, ledger)
    await checkCallbackTarget(prepared, options)
    // The processes get ready while the bucket is proven.
    if (toRun.length > 0) engine.warmUp()
    await rememberPart(run, findings)
    return await createSender({ prepared, options, ledger, findings, storage, emit })
  })
  const callbacks = createCallbacks(prepared, options, ledger, emit)
  const sourceVideos = createSourceVideos(prepared.layout.state.folder)
  let modelLoadMs = 0
  let released: Promise<void> = Promise.resolve()
  try {
    const kept = decisions.filter(({ action }) => action === 'skip')
    sender.sendKept(kept, (key, sent, asset) => callbacks.unitSent(key, sent, asset, true))
    const services: UnitServices = {
      layout: prepared.layout,
      ledger,
      emit,
      warn: warnOnce(run),
      injection,
      initImages: createInitImages(options.allowPrivateUrls, options.remoteImages, options.signal),
      references: createReferences(options.allowPrivateUrls, options.remoteImages, options.signal),
      keyframes: createKeyframes(options.allowPrivateUrls, options.remoteImages, options.signal),
      sourceVideos,
      openVideo: createVideoWriter,
      delivery: createDelivery(sender, callbacks),
      previewDecoder: engine.previewDecoder,
      publicUrl: prepared.sheet.storage?.publicUrl,
      liveFile: options.liveFile,
    }
    const noteModelLoad = (durationMs: number) => {
      modelLoadMs += durationMs
    }
    const stopping = stopOf(run)
    const { draining = new AbortController().signal } = options
    const drawing: Drawing = {
      ...{ devices: engine.devices, cardMemoryMib: run.cardMemoryMib, services, options, noteModelLoad },
      ...{ stopping, ending: AbortSignal.any([stopping, draining]) },
    }
    if (toRun.length > 0) await drawModels(drawing, prepared, toRun)
    // Their memory is not needed for what is left to send: they end meanwhile.
    released = engine.close()
    await run.look()
    run.lost.throwIfAborted()
    // What is sent counts by the bucket, which tells of its own.
    if (storage === null) await findRemovedUnits(prepared, ledger, state, emit)
    const films = await makeFilms({ prepared, options, ledger, storage, emit })
    const manifest = await writeManifest(prepared, ledger, findings.published, writeHookOf(injection))
    const page = await readyPage(run, manifest)
    const uploads = withFilms(await sender.finish(manifest, page, options.signal), films)
    await callbacks.runEnded(manifest.assets, state.counts.failed + uploads.failed + films.failed)
    const cancelled = options.signal.aborted
    const ended = { cancelled, draining: draining.aborted, uploads, filmsFailed: films.failed }
    const summary = summarize({ prepared, state, ...ended, modelLoadMs, before, engine })
    emit({ type: 'run-finished', ...summary })
    return summary
  } finally {
    await released
    callbacks.close()
    await sourceVideos.close()
    await sender.close()
  }
}

/** The page of a version that wants one, on disk by now; nothing while there is nothing to show. */
async function readyPage(
  { prepared, options, injection }: LockedRun,
  { assets, isOnDisk }: WrittenManifest,
): Promise<readonly PublishedPageFile[]> {
  const { pageFolder } = options
  if (!prepared.sheet.gallery || pageFolder === undefined || assets.length === 0) return []
  const { out, manifestPath } = prepared.layout
  const files = await readPage(pageFolder)
  if (isOnDisk) await writePage(out, dirname(manifestPath), files, writeHookOf(injection))
  return files
}

/** Aborted by the run's signal, and by the first failure under `--fail-fast`. */
function stopOf({ options, bus }: LockedRun): AbortSignal {
  if (!options.failFast) return options.signal
  const failed = new AbortController()
  bus.subscribe(({ type }) => {
    if (type === 'unit-failed') failed.abort()
  })
  return AbortSignal.any([options.signal, failed.signal])
}
