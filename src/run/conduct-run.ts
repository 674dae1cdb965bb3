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
import { chooseDevices } from '../engine/choose-devices.ts'
import { createEngine, type Engine } from '../engine/engine.ts'
import { inferenceEnvironment } from '../engine/inference-environment.ts'
import { createInjection, writeFaultsOf } from '../engine/injection.ts'
import { messageOf } from '../errors.ts'
import { createVideoWriter } from '../media/video-writer.ts'
import type { Storage } from '../storage/storage.ts'
import { rememberBucket } from './bucket-target.ts'
import { checkCallbackTarget, createCallbacks } from './callbacks.ts'
import { decideUnits, type UnitDecision } from './decide-units.ts'
import { createDelivery } from './delivery.ts'
import { drawModels } from './draw-models.ts'
import type { Drawing } from './drawing.ts'
import type { EventBus } from './event-bus.ts'
import { createInitImages } from './init-images.ts'
import { createKeyframes } from './keyframes.ts'
import { lockLost, lockOutput, outputRemoved } from './lock-output.ts'
import { makeFilms, withFilms } from './make-films.ts'
import { providersOf, requireFit } from './memory-fit.ts'
import { checkBucketEndpoint, closingAfter, openBucket, policyOf } from './open-bucket.ts'
import type { RunOptions } from './options.ts'
import type { PreparedRun, PreparedUnit, PrepareWarning } from './prepared.ts'
import { pullUnits } from './pull-units.ts'
import { reduce } from './reduce.ts'
import { createReferences } from './reference-images.ts'
import { findRemovedUnits } from './removed-units.ts'
import { createSender } from './sender.ts'
import { createSourceVideos } from './source-videos.ts'
import { INITIAL_STATE } from './state.ts'
import { type RunSummary, summarize } from './summary.ts'
import type { UnitServices } from './unit-life.ts'
import { type FileSystemWatch, watchFileSystem } from './warn-of-file-system.ts'
import { type BucketFindings, findInBucket, findNothing } from './whole-in-bucket.ts'
import { type WrittenManifest, writeManifest } from './write-manifest.ts'

/** A run's plan, its options and its event stream. */
export interface RunRequest {
  readonly prepared: PreparedRun
  readonly options: RunOptions
  readonly bus: EventBus
  /** To draw on; without one the run makes its own, and ends it when all is drawn. */
  readonly engine?: Engine | undefined
}

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
  const faults = writeFaultsOf(injection)
  const fileSystem = watchFileSystem(layout.out)
  const onLost = (why: LossOfLock) => {
    lost.abort(why === 'removed' ? outputRemoved(layout.out) : lockLost(layout.out))
  }
  let restore: (() => void) | null = null
  const onRestored = () => restore?.()
  const lock = await lockOutput(layout.state.lockPath, { onLost, onRestored, faults }).catch(
    (error: unknown) => {
      fileSystem.end()
      throw error
    },
  )
  const signal = AbortSignal.any([options.signal, lost.signal])
  try {
    // Only now, with the lock held, is a temporary file certainly nobody's.
    await sweepTemporaryFiles(layout.out)
    removeFolder(confine(layout.out), layout.state.liveFolder)
    const origin = openOrigin(options.stateDir)
    await rememberBucket(layout.out, prepared.sheet.storage, prepared.shard, origin)
    const ledger = await openLedger(layout.state.ledgerPath, { faults, origin })
    const restoring: Promise<void>[] = []
    restore = () => void restoring.push(restoreState(request, ledger, origin))
    try {
      const { engine, cardMemoryMib } =
        request.engine === undefined
          ? await openEngine(request)
          : { engine: request.engine, cardMemoryMib: null }
      const release = async () => {
        if (request.engine === undefined) await engine.close()
      }
      try {
        const current = { ...request, options: { ...options, signal }, engine, cardMemoryMib }
        const look = async () => {
          await lock.check()
          await Promise.all(restoring)
        }
        const parts = { ledger, injection, fileSystem, lost: lost.signal, look, release }
        return await runPlanned({ ...current, ...parts })
      } finally {
        await release()
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

async function openEngine({ prepared, options }: RunRequest): Promise<OpenedEngine> {
  const { env, cacheDir, devices, batch, injection, provider } = options
  const providers = providersOf(prepared, provider)
  const environment = await inferenceEnvironment({ env, cacheDir, providers })
  const { known } = environment
  const asked = { devices, providers, known, env: environment.env, wantsMemory: batch === 'auto' }
  const { ids, cardMemoryMib } = await chooseDevices(asked)
  // Of all devices that there are, the CPU is one.
  requireFit(prepared, { known, provider, batch, devices: devices === 'all' ? undefined : ids })
  return { engine: createEngine({ ...environment, devices: ids, injection }), cardMemoryMib }
}

interface OpenedEngine {
  readonly engine: Engine
  /** As `ChosenDevices`. */
  readonly cardMemoryMib: number | null
}

interface LockedRun extends RunRequest, OpenedEngine {
  readonly engine: Engine
  readonly ledger: Ledger
  readonly injection: ReturnType<typeof createInjection>
  readonly fileSystem: FileSystemWatch
  /** Aborted when another process has taken the folder over. */
  readonly lost: AbortSignal
  /** Looks whether lock and state are still there, and makes them anew where they can be. */
  readonly look: () => Promise<void>
  /** Ends the engine's processes, unless others use it. */
  readonly release: () => Promise<void>
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
    // Their memory is not needed for what is left to send.
    await run.release()
    await run.look()
    run.lost.throwIfAborted()
    // What is sent counts by the bucket, which tells of its own.
    if (storage === null) await findRemovedUnits(prepared, ledger, state, emit)
    const films = await makeFilms({ prepared, options, ledger, storage, emit })
    const manifest = await writeManifest(prepared, ledger, findings.published, writeFaultsOf(injection))
    const page = await readyPage(run, manifest)
    const uploads = withFilms(await sender.finish(manifest, page, options.signal), films)
    await callbacks.runEnded(manifest.assets, state.counts.failed + uploads.failed + films.failed)
    const cancelled = options.signal.aborted
    const ended = { cancelled, draining: draining.aborted, uploads, filmsFailed: films.failed }
    const summary = summarize({ prepared, state, ...ended, modelLoadMs, before, engine })
    emit({ type: 'run-finished', ...summary })
    return summary
  } finally {
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
  if (isOnDisk) await writePage(out, dirname(manifestPath), files, writeFaultsOf(injection))
  return files
}

interface AskedBucket {
  /** null: the run has none. */
  readonly storage: Storage | null
  readonly findings: BucketFindings
}

/** Decides by ledger and disk, then by what the bucket holds of the rest. */
async function askBucket({ prepared, options, ledger }: LockedRun): Promise<AskedBucket> {
  const { sheet } = prepared
  const nothing = findNothing(await decideUnits(prepared, ledger, options.force))
  if (sheet.storage === null || options.dryRun) return { storage: null, findings: nothing }
  const concurrency = options.concurrency ?? sheet.storage.concurrency
  const storage = await openBucket(sheet.storage, { concurrency, ...policyOf(options) })
  const { pull = false, signal } = options
  if (options.force) return { storage, findings: nothing }
  return await closingAfter(storage, async () => {
    const found = await findInBucket(prepared, nothing.decisions, storage, { signal, pull, isToSend: true })
    return { storage, findings: pull ? await pullUnits(found, { prepared, storage, ledger, signal }) : found }
  })
}

/** A folder that lacks what the bucket has is a part, as a shard's is: its manifest is not the bucket's. */
async function rememberPart({ prepared, options }: LockedRun, { published }: BucketFindings): Promise<void> {
  if (published.size === 0) return
  const origin = openOrigin(options.stateDir)
  const { layout, sheet, shard } = prepared
  await rememberBucket(layout.out, sheet.storage, shard ?? 'part', origin)
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

function warnOnce({ bus }: LockedRun): (warning: PrepareWarning) => void {
  const messages = new Set<string>()
  return ({ code, message }) => {
    if (!messages.has(message)) bus.emit({ type: 'warning', code, message })
    messages.add(message)
  }
}

function announce(
  { prepared, bus: { emit } }: LockedRun,
  { decisions, warnings }: BucketFindings,
  toRun: readonly PreparedUnit[],
): void {
  emit({
    type: 'run-planned',
    units: decisions.length,
    skipped: decisions.length - toRun.length,
    shard: prepared.shard,
    steps: toRun.reduce((sum, { unit }) => sum + unit.executedSteps, 0),
    version: prepared.version,
    out: prepared.layout.out,
    prefix: prepared.layout.prefix,
    plan: decisions.map(({ entry: { unit }, action }) => {
      const { cue, variant, program, executedSteps: steps, axes } = unit
      return { cue, variant, program, steps, action, ...(axes === undefined ? {} : { axes }) }
    }),
  })
  for (const { code, message } of [...prepared.warnings, ...warnings])
    emit({ type: 'warning', code, message })
  for (const { action, reason, entry } of decisions) {
    const { cue, variant } = entry.unit
    if (action === 'skip') emit({ type: 'unit-skipped', cue, variant, reason })
  }
}

/** Files that were touched but hold what they held need no second look the next time. */
async function recordTouched(decisions: readonly UnitDecision[], ledger: Ledger): Promise<void> {
  for (const { entry, refreshed } of decisions) {
    const recorded = ledger.units.get(entry.key)
    if (!recorded || refreshed.length === 0) continue
    const renewed = new Map(refreshed.map((file) => [file.name, file]))
    const files = recorded.files.map((file) => renewed.get(file.name) ?? file)
    await ledger.renewUnit(entry.key, { ...recorded, files })
  }
}
