/**
 * The worker thread that all inference lives in: `session.run` blocks its thread, so nothing else is done here.
 * It answers requests one after the other and copies latents out for previews between two steps.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { readModelFolder } from '../model/folder.ts'
import { resolveProvider } from '../model/providers.ts'
import { createPipeline } from '../pipelines/create-pipeline.ts'
import type { GenerateRequest, Pipeline, StepInfo } from '../pipelines/pipeline.ts'
import { bufferOf } from '../tensor/buffers.ts'
import { sizeOf } from '../tensor/tensor.ts'
import { collectYoung } from './collect-young.ts'
import { createFaults } from './faults.ts'
import { createInlineDecoder, type InlineDecoder } from './inline-decoder.ts'
import {
  CONTROL,
  type EncodedPrompt,
  type EncodePrompts,
  type FromWorker,
  type Generate,
  type Generated,
  type Job,
  type LoadDenoiser,
  type OpenModel,
  type ToWorker,
  type WorkerAnswer,
  type WorkerNews,
  type WorkerRequest,
  type WorkerStart,
} from './messages.ts'
import { createPromptStore } from './prompt-store.ts'
import { toWireError } from './wire-error.ts'

if (!parentPort) throw new Error('inference-worker runs in a worker thread')
const port = parentPort
const start: WorkerStart = workerData
const control = new Int32Array(start.control)
const faults = createFaults(start.faults)
const prompts = createPromptStore(start.spillFolder)

let pipeline: Pipeline | null = null
let inlineDecoder: InlineDecoder | null = null
let finishedModelsRunMs = 0

function tell(news: WorkerNews, transfer: ArrayBuffer[] = []): void {
  const message: FromWorker = { type: 'news', news }
  port.postMessage(message, transfer)
}

const sessionRunMs = () => finishedModelsRunMs + (pipeline?.meter.runMs ?? 0)
const isStopped = () => Atomics.load(control, CONTROL.stop) === 1

function opened(): Pipeline {
  if (!pipeline) throw new Error('no model is open')
  return pipeline
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; durationMs: number }> {
  const before = performance.now()
  const value = await work()
  return { value, durationMs: performance.now() - before }
}

async function openModel(request: OpenModel): Promise<WorkerAnswer> {
  // One that failed half-way may still hold sessions and prompts.
  await closeModel()
  const folder = readModelFolder(request.path, {
    pipeline: request.pipeline,
    previewDecoder: request.previewDecoder,
  })
  const provider = await resolveProvider(request.provider, request.deviceId)
  const model = createPipeline(folder, { provider, threads: request.threads })
  pipeline = model
  inlineDecoder = createInlineDecoder(folder, model, provider)
  return { type: 'open', provider: provider.name }
}

async function encodePrompts(request: EncodePrompts): Promise<WorkerAnswer> {
  const model = opened()
  const load = await timed(() => model.loadTextEncoders())
  tell({ type: 'loaded', durationMs: load.durationMs })
  const encoded: EncodedPrompt[] = []
  for (const { key, request: prompt, guidanceScale } of request.prompts) {
    if (isStopped()) break
    const before = performance.now()
    try {
      faults.reach('text-encode')
      const withNegative = model.usesNegativePrompt(guidanceScale)
      const conditioning = await model.encodePrompt({ ...prompt, withNegative })
      prompts.put(key, conditioning)
      encoded.push({
        key,
        durationMs: performance.now() - before,
        tokens: conditioning.promptEmbeds.dims[1] ?? 0,
        warnings: conditioning.warnings,
        error: null,
      })
    } catch (error) {
      const durationMs = performance.now() - before
      encoded.push({ key, durationMs, tokens: 0, warnings: [], error: toWireError(error) })
    }
  }
  await model.freeTextEncoders()
  return { type: 'encode', prompts: encoded }
}

async function loadDenoiser(request: LoadDenoiser): Promise<WorkerAnswer> {
  const model = opened()
  const load = await timed(() => model.loadDenoiser({ withVaeEncoder: request.withVaeEncoder }))
  tell({ type: 'loaded', durationMs: load.durationMs })
  return { type: 'load-denoiser' }
}

function requestOf(job: Job): GenerateRequest {
  const { unit: _, promptKey, previews: __, ...request } = job
  return { ...request, conditioning: prompts.get(promptKey) }
}

/** Waits while the main thread has as many previews in hand as it may hold. */
function claimPreviewSlot(): void {
  for (;;) {
    const pending = Atomics.load(control, CONTROL.pendingPreviews)
    if (pending < start.maxPendingPreviews || isStopped()) break
    Atomics.wait(control, CONTROL.pendingPreviews, pending, 1000)
  }
  Atomics.add(control, CONTROL.pendingPreviews, 1)
}

async function handOutPreview(job: Job, info: StepInfo, index: number): Promise<void> {
  const previews = job.previews
  if (!previews || (info.step % previews.every !== 0 && info.step !== info.steps)) return
  const [, channels, ...space] = info.dims
  const size = sizeOf([channels, ...space])
  const state = previews.source === 'denoised' ? info.denoised : info.latents
  const data = state.slice(index * size, (index + 1) * size)
  const dims = [1, channels, ...space] as const
  claimPreviewSlot()
  if (previews.method === 'handed') {
    tell({ type: 'latents', unit: job.unit, step: info.step, data, dims }, [data.buffer])
    return
  }
  try {
    faults.reach(`preview-${previews.method}`, info.step)
    if (!inlineDecoder) throw new Error('no model is open')
    const image = await inlineDecoder.decode(previews.method, data, dims)
    tell({ type: 'preview', unit: job.unit, step: info.step, image }, [bufferOf(image.rgb)])
  } catch (error) {
    tell({ type: 'preview-failed', unit: job.unit, step: info.step, error: toWireError(error) })
  }
}

async function generate({ jobs }: Generate): Promise<readonly Generated[]> {
  for (const job of jobs) tell({ type: 'started', unit: job.unit })
  const media = await opened().generate(jobs.map(requestOf), {
    shouldStop: isStopped,
    async onStep(info) {
      faults.reach('step', info.step)
      for (const [index, job] of jobs.entries()) {
        tell({
          type: 'step',
          unit: job.unit,
          step: info.step,
          steps: info.steps,
          durationMs: info.durationMs,
        })
        await handOutPreview(job, info, index)
      }
    },
  })
  return media.map(({ frames, timings }, index): Generated => {
    faults.reach('generated', jobs[index]!.unit)
    const { stepDurationsMs, decodeMs } = timings
    const [image] = frames
    return { unit: jobs[index]!.unit, image, stepDurationsMs, decodeMs }
  })
}

async function closeModel(): Promise<WorkerAnswer> {
  finishedModelsRunMs = sessionRunMs()
  await inlineDecoder?.dispose()
  await pipeline?.dispose()
  pipeline = null
  inlineDecoder = null
  prompts.clear()
  return { type: 'close' }
}

async function answerTo(request: WorkerRequest): Promise<WorkerAnswer> {
  switch (request.type) {
    case 'open':
      return openModel(request)
    case 'encode':
      return encodePrompts(request)
    case 'load-denoiser':
      return loadDenoiser(request)
    case 'generate':
      return { type: 'generate', pictures: await generate(request) }
    case 'close':
      return closeModel()
  }
}

async function answer(message: ToWorker): Promise<void> {
  const reply = (body: FromWorker, transfer: ArrayBuffer[] = []) => port.postMessage(body, transfer)
  const { id } = message
  try {
    const answer = await answerTo(message)
    const pictures = answer.type === 'generate' ? answer.pictures : []
    reply(
      { type: 'done', id, answer, sessionRunMs: sessionRunMs() },
      pictures.map(({ image }) => bufferOf(image.rgb)),
    )
  } catch (error) {
    reply({ type: 'failed', id, error: toWireError(error), sessionRunMs: sessionRunMs() })
  }
  collectYoung()
}

// One request at a time, in order: two sessions that run at once crash some GPU providers.
let queue: Promise<void> = Promise.resolve()
port.on('message', (message: ToWorker) => {
  queue = queue.then(() => answer(message))
})
