/**
 * The process that inference lives in: `session.run` blocks its thread, so nothing else is done here. Latents for
 * previews are copied out between two steps. Ended by a signal and nothing else: a thread or a process that leaves by
 * itself while native code is at work aborts.
 */
import { readScratch } from '../artifacts/scratch-file.ts'
import { readModelFolder } from '../model/folder.ts'
import { checkHalves } from '../model/halves.ts'
import { optimizeModel } from '../model/optimize.ts'
import { probeProvider, resolveProvider } from '../model/providers.ts'
import { createPipeline } from '../pipelines/create-pipeline.ts'
import type { GenerateHooks, Pipeline } from '../pipelines/pipeline.ts'
import type {
  DrawnPicture,
  EncodedPrompt,
  EncodePrompts,
  InferenceProcedures,
  InferenceStart,
  OpenModel,
  PictureJob,
  PictureNotice,
  ScratchVideo,
} from './inference-calls.ts'
import { createInjection, type Injection } from './injection.ts'
import { createInlineDecoder, type InlineDecoder } from './inline-decoder.ts'
import { createPromptStore, type PromptStore } from './prompt-store.ts'
import { type CallContext, type Served, serveCalls } from './serve-calls.ts'
import { createStepNotices } from './step-notices.ts'
import { openPromptFile } from './stored-prompt.ts'
import { toWireError } from './wire-error.ts'

/** A model with what belongs to it as long as it is open. */
interface Opened {
  readonly pipeline: Pipeline
  readonly inlineDecoder: InlineDecoder
  readonly prompts: PromptStore
}

/** From the end of a model's last picture until its sessions are freed, where no other model is opened. */
const FREED_AFTER_MS = 500

function createInference({ injection: table, toolPid, known }: InferenceStart): Served<InferenceProcedures> {
  const injection = createInjection(table, toolPid)
  let model: Opened | null = null
  let closedModelsRunMs = 0
  let freeing: Promise<void> = Promise.resolve()
  let hastenFreeing: () => void = () => undefined

  const opened = (): Opened => {
    if (!model) throw new Error('no model is open')
    return model
  }
  const sessionRunMs = () => closedModelsRunMs + (model?.pipeline.meter.runMs ?? 0)
  const close = async (): Promise<void> => {
    closedModelsRunMs = sessionRunMs()
    const closing = model
    if (closing === null) return
    model = null
    try {
      await closing.prompts.clear()
    } finally {
      // Freeing takes a core from the last picture's encoding and uploads, and a run that is over ends the process
      // soon: it is put off. The next model waits for it, and is told where it fails.
      const putOff = new Promise<void>((resolve) => {
        hastenFreeing = resolve
        setTimeout(resolve, FREED_AFTER_MS)
      })
      freeing = freeing
        .then(() => putOff)
        .then(async () => {
          await closing.inlineDecoder.dispose()
          await closing.pipeline.dispose()
        })
      freeing.catch(() => undefined)
    }
  }

  return {
    sessionRunMs,
    handlers: {
      probe: ({ name, deviceId }) => probeProvider(name, deviceId, known),
      async optimize({ path, variant, provider: requested, root }) {
        const provider = await resolveProvider(requested, 0, known)
        return await optimizeModel(readModelFolder(path, { variant }), root, provider)
      },
      async open(request) {
        // One that failed half-way may still hold sessions and prompts.
        await close()
        hastenFreeing()
        const freed = freeing
        freeing = Promise.resolve()
        await freed
        const { path, pipeline, variant, previewDecoder, threads, optimizedRoot } = request
        const folder = readModelFolder(path, { pipeline, variant, previewDecoder })
        const provider = await resolveProvider(request.provider, request.deviceId, known)
        await checkHalves(folder, provider)
        const created = createPipeline(folder, { provider, threads, optimizedRoot })
        const inlineDecoder = createInlineDecoder(folder, created, provider)
        model = { pipeline: created, inlineDecoder, prompts: promptStoreOf(request) }
        const { name, deviceId, passedOver } = provider
        return { provider: name, deviceId, passedOver }
      },
      async encode(request, context) {
        const loadMs = await timed(() => opened().pipeline.loadTextEncoders())
        const prompts = await encodePrompts(opened(), request, injection, context)
        if (!request.keepEncoders) await opened().pipeline.freeTextEncoders()
        return { loadMs, prompts }
      },
      async adopt({ prompts }) {
        for (const { key, stored } of prompts) opened().prompts.putStored(key, stored)
        return null
      },
      'load-denoiser': async (options) => ({
        loadMs: await timed(() => opened().pipeline.loadDenoiser(options)),
      }),
      generate: async ({ jobs }, context) => ({
        pictures: await generate(opened(), jobs, injection, context),
      }),
      async forget({ keys }) {
        for (const key of keys) opened().prompts.forget(key)
        return null
      },
      async close() {
        await close()
        return null
      },
    },
  }
}

const promptStoreOf = ({ spillFolder }: OpenModel) => createPromptStore(spillFolder)

async function timed(work: () => Promise<void>): Promise<number> {
  const before = performance.now()
  await work()
  return performance.now() - before
}

/** All prompts, or those before the call was cancelled. */
async function encodePrompts(
  { pipeline, prompts }: Opened,
  request: EncodePrompts,
  injection: Injection,
  context: CallContext<never>,
): Promise<EncodedPrompt[]> {
  const encoded: EncodedPrompt[] = []
  const file = request.storeIn === undefined ? null : await openPromptFile(request.storeIn)
  for (const { key, request: prompt, withNegative } of request.prompts) {
    await context.breathe()
    if (context.isCancelled()) break
    const before = performance.now()
    const done = (rest: Omit<EncodedPrompt, 'key' | 'durationMs'>) =>
      void encoded.push({ key, durationMs: performance.now() - before, ...rest })
    try {
      injection.reach('text-encode')
      const conditioning = await pipeline.encodePrompt({ ...prompt, withNegative })
      const stored = await file?.add(conditioning)
      if (stored) prompts.putStored(key, stored)
      else await prompts.put(key, conditioning)
      const tokens = pipeline.sharedTokens(conditioning)
      done({ tokens, warnings: conditioning.warnings, error: null, stored })
    } catch (error) {
      done({ tokens: 0, warnings: [], error: toWireError(error) })
    }
  }
  await file?.close()
  return encoded
}

async function generate(
  opened: Opened,
  jobs: readonly PictureJob[],
  injection: Injection,
  context: CallContext<PictureNotice>,
): Promise<DrawnPicture[]> {
  for (const { unit } of jobs) context.notify({ type: 'started', unit })
  const requests = jobs.map(({ unit: _, promptKey, previews: __, sourceVideo, ...request }) => ({
    ...request,
    ...(sourceVideo && { sourceVideo: readerOf(sourceVideo, request) }),
    conditioning: opened.prompts.get(promptKey),
  }))
  const { pipeline, inlineDecoder } = opened
  const steps = createStepNotices({ jobs, inlineDecoder, injection, context })
  const hooks: GenerateHooks = {
    shouldStop: context.isCancelled,
    async onStep(info) {
      injection.reach('step', info.step)
      await steps.take(info)
      await context.breathe()
    },
    async onFrame({ index, frame, frames, image }) {
      injection.reach('frame', frame)
      await context.handOut({ type: 'frame', unit: jobs[index]!.unit, frame, frames, image })
      await context.breathe()
    },
  }
  // A batch that is given up has drawn what is told of.
  const media = await pipeline.generate(requests, hooks).finally(steps.flush)
  return media.map(({ frames: [image], timings }, index): DrawnPicture => {
    const { unit } = jobs[index]!
    injection.reach('generated', unit)
    const { stepDurationsMs, decodeMs } = timings
    return { unit, image, stepDurationsMs, decodeMs }
  })
}

function readerOf(
  { path, key, frames }: ScratchVideo,
  { width, height }: Pick<PictureJob, 'width' | 'height'>,
) {
  const size = 3 * width * height
  return { key, frames, read: (frame: number) => readScratch(path, frame * size, size) }
}

serveCalls(createInference)
