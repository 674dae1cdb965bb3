/** Everything that is drawn in a run: one worker, its news heard, one model after the other. */
import { makeFolder, PRIVATE_FOLDER } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import { PregenError } from '../errors.ts'
import type { Callbacks } from './callbacks.ts'
import type { DrawContext } from './draw-context.ts'
import { drawModel } from './draw-model.ts'
import { failUnit } from './draw-unit.ts'
import type { EmitRunEvent } from './events.ts'
import type { Faults } from './faults.ts'
import { groupBy } from './group-by.ts'
import { createInitImages } from './init-images.ts'
import type { WorkerNews } from './messages.ts'
import type { RunOptions } from './options.ts'
import type { PreparedModel, PreparedRun, PreparedUnit, PrepareWarning } from './prepared.ts'
import { createPreviewClient, type PreviewClient } from './preview-client.ts'
import type { Sender } from './sender.ts'
import type { Tally } from './tally.ts'
import { type InferenceWorker, startInferenceWorker } from './worker-client.ts'

// Previews that may wait for a PNG encoder before the denoiser waits for them.
const MAX_PENDING_PREVIEWS = 8

export interface DrawAllOptions {
  readonly prepared: PreparedRun
  readonly options: RunOptions
  readonly emit: EmitRunEvent
  readonly ledger: Ledger
  readonly faults: Faults
  readonly toRun: readonly PreparedUnit[]
  readonly sender: Sender
  readonly callbacks: Callbacks
  readonly tally: Tally
  /** Started early, while the bucket is proven; ended here. */
  readonly worker: InferenceWorker
}

/** The thread that will draw: it loads ONNX Runtime, and no model before it is told to. */
export async function startDrawing(prepared: PreparedRun, options: RunOptions): Promise<InferenceWorker> {
  const { folder } = prepared.layout.state
  makeFolder(confine(prepared.layout.out), folder, PRIVATE_FOLDER)
  return startInferenceWorker({
    maxPendingPreviews: MAX_PENDING_PREVIEWS,
    spillFolder: folder,
    faults: options.faults,
  })
}

/** @throws PregenError `E_PROVIDER_UNAVAILABLE`; every other fault is a unit's */
export async function drawAll(all: DrawAllOptions): Promise<void> {
  const { prepared, options, emit, ledger, faults, toRun, sender, callbacks, tally, worker } = all
  const { layout } = prepared
  const active: DrawContext['active'] = new Map()
  const byIndex = new Map(toRun.map((entry) => [entry.index, entry]))
  const previewClients = new Map<string, PreviewClient>()
  const warned = new Set<string>()
  let stopped = false

  const stop = () => {
    stopped = true
    worker.stop()
  }

  // Whatever becomes of a preview, its slot is given back: the worker waits for it.
  const whenTaken = (taken: Promise<void> | undefined): void => {
    void Promise.resolve(taken).finally(worker.previewFinished)
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
        output?.begin()
        emit({ type: 'unit-started', cue, variant, program, seed: String(seed), steps: executedSteps })
        break
      case 'step': {
        const { step, steps, durationMs } = news
        emit({ type: 'step', cue, variant, step, steps, durationMs: Math.round(durationMs) })
        break
      }
      case 'latents':
        whenTaken(output?.takeLatents(news.step, news.data, news.dims))
        break
      case 'preview':
        whenTaken(output?.takePreview(news.step, news.image))
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
    faults,
    initImages: createInitImages(options.allowPrivateUrls),
    publicUrl: prepared.sheet.storage?.publicUrl,
    callbackOwed: callbacks.isOwedByUnits,
    active,
    settled: new Set(),
    previewClient(path, channels) {
      const client = previewClients.get(path) ?? createPreviewClient({ path, channels })
      previewClients.set(path, client)
      return client
    },
    send(key, files, asset, isComplete) {
      callbacks.unitSent(key, sender.send(key, files), asset, isComplete)
    },
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

  worker.listen(hear)
  if (options.signal.aborted) stop()
  options.signal.addEventListener('abort', stop)
  try {
    // A model is loaded once a run: its units are drawn together, models in the order of the sheet.
    for (const [id, units] of groupBy(toRun, ({ unit }) => unit.model)) {
      const model = prepared.models.get(id)
      if (!model) throw new Error(`model ${id} was planned but not prepared`)
      if (!stopped) await drawOrFail(context, model, units)
    }
  } finally {
    options.signal.removeEventListener('abort', stop)
    tally.setSessionRunMs(worker.sessionRunMs())
    await Promise.all([...previewClients.values()].map((client) => client.close()))
    // Its memory is not needed for what is left to send.
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
    const stage = error.code === 'E_WORKER_DIED' ? 'generate' : 'load model'
    for (const entry of units) if (!context.settled.has(entry.index)) failUnit(context, entry, stage, error)
  }
}
