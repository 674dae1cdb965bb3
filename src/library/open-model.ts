/** `openModel`: one model held ready in a process of its own, picture by picture, without sheet, files or bucket. */
import { tmpdir } from 'node:os'
import type { SchedulerConfig, SchedulerName } from '../diffusion/scheduler.ts'
import type { OpenedModel } from '../engine/device.ts'
import { createEngine } from '../engine/engine.ts'
import type { PictureJob, PromptJob } from '../engine/inference-calls.ts'
import { inferenceEnvironment } from '../engine/inference-environment.ts'
import { PregenError } from '../errors.ts'
import { checkModelFolder } from '../model/check.ts'
import { modelFacts } from '../model/facts.ts'
import { readModelFolder } from '../model/folder.ts'
import type { RequestedProvider } from '../model/providers.ts'
import { builtInLength, findShapeFaults } from '../plan/fixed-shapes.ts'
import { isGuided, rowsAsked } from '../plan/guided.ts'
import type { ModelFacts } from '../plan/model-facts.ts'
import type { RngName } from '../random/generator.ts'
import { cacheFolder } from './home.ts'
import { embeddedModels } from './package.ts'

export interface OpenModelOptions {
  /** As `models.<id>.variant` of a sheet: `fp16` takes `model_fp16.onnx` or `model.fp16.onnx` where a component has it. */
  readonly variant?: string | undefined
  /** Default `auto`. */
  readonly provider?: RequestedProvider | undefined
  /** Which device of the provider; default its first. */
  readonly device?: number | undefined
  /** CPU threads for inference. */
  readonly threads?: number | undefined
}

export interface DrawRequest {
  readonly prompt: string
  readonly negativePrompt?: string | undefined
  /** 0 … 2⁶⁴ − 1; default 0. */
  readonly seed?: number | bigint | undefined
  /** Default `torch-cpu`, whose pictures are those of diffusers. */
  readonly rng?: RngName | undefined
  /** In pixels; default the model's own size. */
  readonly width?: number | undefined
  readonly height?: number | undefined
  /** Default as the model likes. */
  readonly steps?: number | undefined
  readonly guidanceScale?: number | undefined
  /** Qwen-Image's and FLUX.1's guidance, with a negative prompt. */
  readonly trueCfgScale?: number | undefined
  /** Default the model's own. */
  readonly scheduler?:
    | SchedulerName
    | ({ readonly name?: SchedulerName | undefined } & SchedulerConfig)
    | undefined
  /** Aborted: stops before the next step; `draw` then rejects with `E_CANCELLED`. */
  readonly signal?: AbortSignal | undefined
  /** Told after each step. Must not throw. */
  readonly onStep?: ((step: DrawStep) => void) | undefined
}

export interface DrawStep {
  /** From 1. */
  readonly step: number
  readonly steps: number
  readonly durationMs: number
}

export interface Picture {
  readonly width: number
  readonly height: number
  /** RGB, row by row: width × height × 3 bytes. */
  readonly pixels: Uint8Array
  readonly timings: {
    readonly promptMs: number
    readonly stepDurationsMs: readonly number[]
    readonly decodeMs: number
  }
}

export interface Model {
  readonly facts: ModelFacts
  /** What it runs on: `cpu`, `cuda`, … */
  readonly provider: string
  /** Pictures are drawn one after the other. @throws PregenError */
  readonly draw: (request: DrawRequest) => Promise<Picture>
  /** Ends the model's process, and whatever it is drawing. */
  readonly close: () => Promise<void>
}

/**
 * @param path a folder in the ONNX layout of diffusers; without one the embedded model
 * @throws PregenError with every fault of the folder in `errors`; `E_PROVIDER_UNAVAILABLE`
 */
export async function openModel(
  path = embeddedModels.backdrop ?? '',
  options: OpenModelOptions = {},
): Promise<Model> {
  const { variant, provider = 'auto', device, threads } = options
  const folder = readModelFolder(path, { variant })
  await checkModelFolder(folder)
  const facts = await modelFacts(folder)
  if (facts.video !== undefined) {
    throw new PregenError('E_SETTING_UNSUITED', 'This model makes videos, which openModel does not draw.', {
      help: 'Use render with a sheet: it writes frames and video as they come.',
      location: { file: folder.path },
    })
  }
  const environment = await inferenceEnvironment({
    env: process.env,
    cacheDir: cacheFolder(process.env),
    providers: new Set([provider]),
  })
  const engine = createEngine({ ...environment, devices: device === undefined ? [] : [device] })
  const open = async (): Promise<OpenedModel> => {
    const [own] = engine.devices
    if (!own) throw new Error('an engine has a device')
    const shape = { path: folder.path, pipeline: undefined, variant, previewDecoder: undefined }
    const opened = await own.open({ ...shape, provider, threads, spillFolder: tmpdir() })
    // Encoders and denoiser stay: who draws one picture after the other waits for neither.
    await opened.call('encode', { prompts: [], keepEncoders: true })
    await opened.call('load-denoiser', { withVaeEncoder: false })
    return opened
  }
  let opened: OpenedModel
  try {
    opened = await open()
  } catch (error) {
    await engine.close()
    throw error
  }
  let isClosed = false
  let queue: Promise<unknown> = Promise.resolve()
  return {
    facts,
    provider: opened.provider,
    draw(request) {
      const drawn = queue.then(async () => {
        if (isClosed) throw new PregenError('E_MODEL_CLOSED', 'The model was closed.', { exitCode: 1 })
        // A process that died failed the picture in its hands, and that alone.
        if (opened.death() !== null) opened = await open()
        return await drawPicture(opened, facts, request)
      })
      queue = drawn.catch(() => undefined)
      return drawn
    },
    async close() {
      isClosed = true
      await engine.close()
    },
  }
}

async function drawPicture(opened: OpenedModel, facts: ModelFacts, request: DrawRequest): Promise<Picture> {
  const { signal, onStep } = request
  const job = pictureJobOf(facts, request)
  const guided = isGuided(facts, { ...job, negativePrompt: request.negativePrompt })
  requireRoom(facts, job, guided)
  const prompt: PromptJob = {
    key: job.promptKey,
    request: {
      ...{ prompt: request.prompt, negativePrompt: request.negativePrompt, promptSyntax: 'plain' },
      maxSequenceLength: builtInLength(facts),
    },
    withNegative: guided,
  }
  const { prompts } = await opened.call('encode', { prompts: [prompt], keepEncoders: true }, { signal })
  const [encoded] = prompts
  if (!encoded) throw new PregenError('E_CANCELLED', 'Stopped before the first step.', { exitCode: 3 })
  if (encoded.error) {
    const { code, message, help } = encoded.error
    throw new PregenError(code, message, { help, exitCode: 3 })
  }
  try {
    const { pictures } = await opened.call(
      'generate',
      { jobs: [job] },
      {
        signal,
        onNotice(notice) {
          if (notice.type !== 'step') return
          const { step, steps, durationMs } = notice
          onStep?.({ step, steps, durationMs })
        },
      },
    )
    const [picture] = pictures
    if (!picture) throw new Error('the model gave no picture')
    const { image, stepDurationsMs, decodeMs } = picture
    const timings = { promptMs: encoded.durationMs, stepDurationsMs, decodeMs }
    return { width: image.width, height: image.height, pixels: image.rgb, timings }
  } finally {
    if (opened.death() === null) await opened.call('forget', { keys: [job.promptKey] })
  }
}

function pictureJobOf({ defaults }: ModelFacts, request: DrawRequest): PictureJob {
  const { seed = 0, rng = 'torch-cpu', scheduler } = request
  const named = typeof scheduler === 'string' ? { name: scheduler } : scheduler
  const { name, ...config } = named ?? {}
  return {
    unit: 0,
    promptKey: 'prompt',
    seed: seedOf(seed),
    rng,
    width: request.width ?? defaults.width,
    height: request.height ?? defaults.height,
    steps: request.steps ?? defaults.steps,
    guidanceScale: request.guidanceScale ?? defaults.guidanceScale,
    trueCfgScale: request.trueCfgScale ?? defaults.trueCfgScale,
    scheduler: { name, config },
    initImage: undefined,
    denoiseStrength: undefined,
    previews: null,
  }
}

/** @throws PregenError `E_FIXED_SHAPE` */
function requireRoom(facts: ModelFacts, { width, height, guidanceScale }: PictureJob, guided: boolean): void {
  if (facts.fixed === undefined) return
  const request = {
    ...{ width, height, guidanceScale, numFrames: undefined, sequenceLength: undefined },
    ...rowsAsked(facts, guided),
    imageTokens: (width * height) / facts.sizeMultiple ** 2,
  }
  const [fault] = findShapeFaults(facts.fixed, request, facts.family)
  if (fault === undefined) return
  throw new PregenError('E_FIXED_SHAPE', `${fault.name} ${fault.why}.`, { help: fault.help })
}

/** @throws PregenError `E_BAD_SEED` */
function seedOf(seed: number | bigint): bigint {
  const isWhole = typeof seed === 'bigint' || Number.isSafeInteger(seed)
  const whole = isWhole ? BigInt(seed) : -1n
  if (whole >= 0n && whole < 2n ** 64n) return whole
  throw new PregenError('E_BAD_SEED', `The seed ${seed} is no whole number from 0 to 2⁶⁴ − 1.`, {
    help: 'Seeds of 2⁵³ and more are given as a bigint.',
  })
}
