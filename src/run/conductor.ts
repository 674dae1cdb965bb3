/**
 * A run from its plan to its end: lock, ledger, bucket, worker, models one after the other, manifest, uploads.
 * Everything it does is told as events; everything it was told came as options.
 */
import { mkdir, rm } from 'node:fs/promises'
import { sweepTemporaryFiles } from '../artifacts/durable-write.ts'
import { openOutputFolder } from '../artifacts/layout.ts'
import { type Ledger, openLedger } from '../artifacts/ledger.ts'
import { acquireLock } from '../artifacts/lock.ts'
import { PregenError } from '../errors.ts'
import { rememberBucket } from './bucket-target.ts'
import { type Decision, decideUnits } from './decide.ts'
import type { DrawContext } from './draw-context.ts'
import { drawModel } from './draw-model.ts'
import { failUnit } from './draw-unit.ts'
import type { EmitRunEvent } from './events.ts'
import { createFaults } from './faults.ts'
import { createInitImages } from './init-images.ts'
import type { WorkerNews } from './messages.ts'
import type { RunOptions } from './options.ts'
import type { PreparedModel, PreparedRun, PreparedUnit, PrepareWarning } from './prepared.ts'
import { createPreviewClient, type PreviewClient } from './preview-client.ts'
import { createSender, type Sender } from './sender.ts'
import { createTally, type RunSummary } from './tally.ts'
import { type InferenceWorker, startInferenceWorker } from './worker-client.ts'
import { writeManifest } from './write-manifest.ts'

// Previews that may wait for a PNG encoder before the denoiser waits for them.
const MAX_PENDING_PREVIEWS = 8

/**
 * Runs what the plan asks for and is not there yet.
 * @throws PregenError before the first unit (lock, bucket, provider); later faults are events and counts
 */
export async function conductRun(
  prepared: PreparedRun,
  options: RunOptions,
  emit: EmitRunEvent,
): Promise<RunSummary> {
  const startedAt = performance.now()
  const { layout } = prepared
  await openOutputFolder(layout.out)
  const lock = await acquireLock(layout.state.lockPath)
  try {
    // Only now, with the lock held, is a temporary file certainly nobody's.
    await sweepTemporaryFiles(layout.out)
    await rm(layout.state.liveFolder, { recursive: true, force: true })
    await rememberBucket(layout.out, prepared.sheet.storage)
    const ledger = await openLedger(layout.state.ledgerPath)
    try {
      return await runPlanned(prepared, options, emit, ledger, startedAt)
    } finally {
      await ledger.close()
    }
  } finally {
    await lock.release()
  }
}

async function runPlanned(
  prepared: PreparedRun,
  options: RunOptions,
  emit: EmitRunEvent,
  ledger: Ledger,
  startedAt: number,
): Promise<RunSummary> {
  const decisions = await decideUnits(prepared, ledger, options.force)
  const toRun = decisions.filter(({ action }) => action === 'run').map(({ entry }) => entry)
  const tally = createTally(startedAt)
  announce(prepared, decisions, toRun, emit)

  const sender = await createSender(prepared, options, ledger, emit)
  try {
    sender.sendKept(decisions.filter(({ action }) => action === 'skip'))
    if (toRun.length > 0) await drawAll(prepared, options, emit, ledger, toRun, sender, tally)
    const manifest = await writeManifest(prepared, ledger)
    const uploads = await sender.finish(manifest, options.signal)
    const summary = tally.finish({
      skipped: decisions.length - toRun.length,
      cancelled: options.signal.aborted,
      uploads,
      prepared,
    })
    emit({ type: 'run-finished', ...summary })
    return summary
  } finally {
    await sender.close()
  }
}

function announce(
  prepared: PreparedRun,
  decisions: readonly Decision[],
  toRun: readonly PreparedUnit[],
  emit: EmitRunEvent,
): void {
  emit({
    type: 'run-planned',
    units: decisions.length,
    skipped: decisions.length - toRun.length,
    shard: prepared.shard,
    steps: toRun.reduce((sum, { unit }) => sum + unit.executedSteps, 0),
    version: prepared.version,
    out: prepared.layout.out,
  })
  for (const { code, message } of prepared.warnings) emit({ type: 'warning', code, message })
  for (const { action, reason, entry } of decisions) {
    const { cue, variant } = entry.unit
    if (action === 'skip') emit({ type: 'unit-skipped', cue, variant, reason })
  }
}

async function drawAll(
  prepared: PreparedRun,
  options: RunOptions,
  emit: EmitRunEvent,
  ledger: Ledger,
  toRun: readonly PreparedUnit[],
  sender: Sender,
  tally: ReturnType<typeof createTally>,
): Promise<void> {
  const { layout } = prepared
  const active: DrawContext['active'] = new Map()
  const byIndex = new Map(toRun.map((entry) => [entry.index, entry]))
  const previewClients = new Map<string, PreviewClient>()
  const warned = new Set<string>()
  let stopped = false

  await mkdir(layout.state.folder, { recursive: true })
  const worker: InferenceWorker = startInferenceWorker({
    maxPendingPreviews: MAX_PENDING_PREVIEWS,
    spillFolder: layout.state.folder,
    faults: options.faults,
    onNews: (news) => hear(news),
  })
  const stop = () => {
    stopped = true
    worker.stop()
  }

  const hear = (news: WorkerNews): void => {
    if (news.type === 'loaded') {
      tally.addModelLoadMs(news.durationMs)
      return
    }
    const entry = byIndex.get(news.unit)
    if (!entry) return
    const { cue, variant, program, seed, executedSteps } = entry.unit
    const output = active.get(news.unit)
    switch (news.type) {
      case 'started':
        emit({ type: 'unit-started', cue, variant, program, seed: String(seed), steps: executedSteps })
        break
      case 'step': {
        const { step, steps, durationMs } = news
        emit({ type: 'step', cue, variant, step, steps, durationMs: Math.round(durationMs) })
        break
      }
      case 'latents':
        void output?.takeLatents(news.step, news.data, news.dims).finally(worker.previewFinished)
        break
      case 'preview':
        void output?.takePreview(news.step, news.image).finally(worker.previewFinished)
        break
      case 'preview-failed':
        output?.previewFailed(news.step, news.error)
        worker.previewFinished()
        break
    }
  }

  const context: DrawContext = {
    options,
    layout,
    ledger,
    worker,
    emit,
    faults: createFaults(options.faults),
    initImages: createInitImages(options.allowPrivateUrls),
    publicUrl: prepared.sheet.storage?.publicUrl,
    active,
    settled: new Set(),
    previewClient(path, channels) {
      const client = previewClients.get(path) ?? createPreviewClient({ path, channels })
      previewClients.set(path, client)
      return client
    },
    send: sender.send,
    warn(warning: PrepareWarning) {
      if (!warned.has(warning.message)) emit({ type: 'warning', ...warning })
      warned.add(warning.message)
    },
    isStopped: () => stopped,
    stop,
    countDone: tally.countDone,
    countFailed: tally.countFailed,
    modelLoadMs: tally.modelLoadMs,
    addModelLoadMs: tally.addModelLoadMs,
    setProvider: tally.setProvider,
  }

  if (options.signal.aborted) stop()
  options.signal.addEventListener('abort', stop)
  try {
    for (const [id, units] of groupByModel(toRun)) {
      const model = prepared.models.get(id)
      if (!model) throw new Error(`model ${id} was planned but not prepared`)
      if (!stopped) await drawOrFail(context, model, units)
    }
  } finally {
    options.signal.removeEventListener('abort', stop)
    tally.setSessionRunMs(worker.sessionRunMs())
    await Promise.all([...previewClients.values()].map((client) => client.close()))
    await worker.terminate()
  }
}

/** A model that does not load fails its units and leaves the other models' alone; an absent provider ends the run. */
async function drawOrFail(
  context: DrawContext,
  model: PreparedModel,
  units: readonly PreparedUnit[],
): Promise<void> {
  try {
    await drawModel(context, model, units)
  } catch (error) {
    if (!(error instanceof PregenError) || error.code === 'E_CANCELLED') throw error
    if (error.code === 'E_PROVIDER_UNAVAILABLE') {
      throw new PregenError(error.code, error.message, { help: error.help, cause: error })
    }
    for (const entry of units)
      if (!context.settled.has(entry.index)) failUnit(context, entry, 'load model', error)
  }
}

/** A model is loaded once a run: its units are drawn together, models in the order of the sheet. */
function groupByModel(units: readonly PreparedUnit[]): Map<string, PreparedUnit[]> {
  const groups = new Map<string, PreparedUnit[]>()
  for (const entry of units) {
    const group = groups.get(entry.unit.model)
    if (group) group.push(entry)
    else groups.set(entry.unit.model, [entry])
  }
  return groups
}

/** The exit code that a finished run stands for: 0 all done, 3 something failed. */
export function exitCodeOfRun({ failed, uploadsFailed }: RunSummary): 0 | 3 {
  return failed === 0 && uploadsFailed === 0 ? 0 : 3
}
