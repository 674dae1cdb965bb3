/**
 * What a run asks of a model: prompts in, pictures out, one call per stage so that the text encoders can be freed
 * before the denoiser is loaded. Everything that crosses this interface is plain data: it runs in a worker thread.
 */
import type { OwnPictureSetting, PictureSettings, PromptSettings } from '../cue-sheet/setting-types.ts'
import type { SchedulerConfig, SchedulerName } from '../diffusion/scheduler.ts'
import type { GuidanceSettings } from '../families/guidance.ts'
import type { FamilyName } from '../families/index.ts'
import type { ResolvedProvider } from '../model/providers.ts'
import type { RunMeter } from '../model/session.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { Tensor } from '../tensor/tensor.ts'

export interface PipelineOptions {
  readonly provider: ResolvedProvider
  /** Threads of the CPU provider; undefined leaves the choice to ONNX Runtime (one per physical core). */
  readonly threads?: number | undefined
  /** Where `models optimize` keeps graphs of this model; undefined: they are not looked for. */
  readonly optimizedRoot?: string | undefined
  /** Adds up the time inside `session.run`; shared by every session of a run. One is made when absent. */
  readonly meter?: RunMeter | undefined
}

/**
 * One prompt set, as the sheet's settings have it. Two requests that are equal as JSON give the same conditioning: cache on
 * that. No negative prompt is not an empty one: SDXL then takes zeros where the folder says so; the others read it as `""`.
 */
export interface PromptRequest extends Partial<PromptSettings> {
  readonly prompt: string
  /** Whether the negative side is wanted: `pipeline.usesNegativePrompt(settings)`. */
  readonly withNegative: boolean
}

/** Embeddings of one prompt set, float32 whatever the model's own type. */
export interface PromptConditioning {
  /** [1, tokens, channels] */
  readonly promptEmbeds: Tensor
  /** [1, channels]; SDXL, SD3 and FLUX. */
  readonly pooledPromptEmbeds: Tensor | null
  /** Same shapes; null when the request was made without the negative side. */
  readonly negativePromptEmbeds: Tensor | null
  readonly negativePooledPromptEmbeds: Tensor | null
  /** How many of the padded tokens are the text's own, where the denoiser is told (Chroma). */
  readonly promptTokens?: number | undefined
  readonly negativePromptTokens?: number | undefined
  /** Whether the encoders compute in half precision: diffusers then draws the noise in it too. */
  readonly half: boolean
  /** What the person should know, such as a prompt cut off at 77 tokens (the text that was cut is quoted). */
  readonly warnings: readonly PromptWarning[]
}

export interface PromptWarning {
  readonly code: 'W_PROMPT_TRUNCATED'
  readonly message: string
}

/** One picture: what the sheet's settings say to the denoiser, `steps` as asked for. */
export interface GenerateRequest extends Omit<PictureSettings, 'scheduler'> {
  readonly conditioning: PromptConditioning
  /** undefined name: the folder's own scheduler. `config` is laid over the folder's scheduler_config.json. */
  readonly scheduler: { readonly name?: SchedulerName | undefined; readonly config: SchedulerConfig }
  /** Image-to-image: [3, height, width], −1 … 1, already at the size of the picture; with `denoiseStrength`. */
  readonly initImage?: Float32Array | undefined
  /** Inpainting: [height, width], 1 where the picture is drawn anew and 0 where it is kept; with `initImage`. */
  readonly mask?: Float32Array | undefined
  /** Pictures that the model looks at while it draws (FLUX.2), of any sizes that it can encode. */
  readonly references?: readonly ReferencePicture[] | undefined
  /** First and last picture of a video, in this order. */
  readonly keyframes?: readonly Keyframe[] | undefined
  /** Video-to-video, with `denoiseStrength`. */
  readonly sourceVideo?: SourceVideo | undefined
}

export interface ReferencePicture {
  /** [3, height, width], −1 … 1 */
  readonly pixels: Float32Array
  readonly width: number
  readonly height: number
}

/** A picture that stands in a video, as the model is given it. */
export interface Keyframe {
  readonly at: 'first' | 'last'
  /** [3, height, width], −1 … 1, at the size of the video. */
  readonly pixels: Float32Array
  /** [3, side, side], as CLIP takes it; null where the model is not shown it so. */
  readonly vision: Float32Array | null
}

/** A video that drawing starts from, read a frame at a time. */
export interface SourceVideo {
  /** Tells videos apart, sizes included. */
  readonly key: string
  readonly frames: number
  /** Interleaved RGB of a frame, from 0, at the size of the video. */
  readonly read: (frame: number) => Uint8Array
}

/** [batch, channels, ...space]: height and width, with the time before them where the family has it. */
export type LatentDims = readonly [batch: number, channels: number, ...space: number[]]

/** The state after one step of a batch. The arrays are reused by the next step: copy what you keep. */
export interface StepInfo {
  /** From 1. */
  readonly step: number
  /** Steps that will be executed. */
  readonly steps: number
  /** The denoiser call that finished this step, from 0, counted over the whole schedule. */
  readonly callIndex: number
  /** Wall time of this step alone; the time inside `onStep` itself is in no step. */
  readonly durationMs: number
  /** Of both arrays, unpacked, in the scale that the denoiser works in. */
  readonly dims: LatentDims
  /** The noisy state. */
  readonly latents: Float32Array
  /** The predicted x0. */
  readonly denoised: Float32Array
}

export interface GenerateHooks {
  onStep?(info: StepInfo): void | Promise<void>
  /** Takes the frames of a video as they are decoded; without it they are collected. */
  onFrame?(frame: DecodedFrame): void | Promise<void>
  /** Asked before every denoiser call; true ends the generation with `E_CANCELLED`. */
  shouldStop?(): boolean
}

export interface DecodedFrame {
  /** Place of its video in the batch. */
  readonly index: number
  /** From 1. */
  readonly frame: number
  readonly frames: number
  readonly image: RgbImage
}

/** What one request came to: a picture, or the frames of a film. */
export interface GeneratedMedium {
  /** One or many, in the order of time, all of one size; of a video whose frames `onFrame` took, the first alone. */
  readonly frames: readonly [RgbImage, ...RgbImage[]]
  /** Its final latents, [1, channels, ...space], in the scale that the denoiser works in. */
  readonly latents: Tensor
  readonly timings: GenerationTimings
}

/** Milliseconds on a monotonic clock, the time inside hooks left out; shared by all of a batch. */
export interface GenerationTimings {
  /** Init-image encoding and the first noise; it is part of the first step's duration too. */
  readonly prepareMs: number
  /** One entry per executed step. */
  readonly stepDurationsMs: readonly number[]
  /** VAE decoding and conversion to bytes. */
  readonly decodeMs: number
  readonly executedSteps: number
}

export interface Pipeline {
  readonly family: FamilyName
  readonly meter: RunMeter

  /** Whether guidance with these settings evaluates the negative prompt (guidance distilled into the model never does). */
  usesNegativePrompt(settings: GuidanceSettings): boolean
  /**
   * Prompts that have this alike may share a call: their tokens; 0 where the model masks what pads the shorter ones and a
   * level is no matter.
   */
  sharedTokens(conditioning: PromptConditioning): number

  /** Stage 1. Loads every text encoder and tokenizer; does nothing when they are loaded. */
  loadTextEncoders(): Promise<void>
  /** @throws StageError with stage `text encode` */
  encodePrompt(request: PromptRequest): Promise<PromptConditioning>
  freeTextEncoders(): Promise<void>

  /** Stage 2. Loads denoiser and VAE decoder, and the VAE encoder when pictures will be read. */
  loadDenoiser(options?: { readonly withVaeEncoder?: boolean }): Promise<void>
  /**
   * One medium a request, for one batch: requests that share all but what `requireOneBatch` names. Each has its own generator, so a picture does not depend on its neighbours.
   * @throws StageError naming the stage (`image encode`, `denoise step 3`, `vae decode`)
   */
  generate(requests: readonly GenerateRequest[], hooks?: GenerateHooks): Promise<GeneratedMedium[]>
  /** Frames of latents as `StepInfo` hands them out, of each of the batch, for full-size previews. */
  decodeLatents(latents: Float32Array, dims: LatentDims): Promise<GeneratedMedium['frames'][]>

  /** Frees every session. The pipeline can be loaded again. */
  dispose(): Promise<void>
}

/**
 * What requests of one batch may differ in; the settings among them are those that the sheet's table lets differ.
 */
const OWN = {
  conditioning: true,
  initImage: true,
  keyframes: true,
  mask: true,
  references: true,
  rng: true,
  seed: true,
  sourceVideo: true,
} as const satisfies Record<
  'conditioning' | 'initImage' | 'keyframes' | 'mask' | 'references' | 'sourceVideo' | OwnPictureSetting,
  true
>

/**
 * @param masksTexts whether texts of different lengths may share a call
 * @throws RangeError, for it is a mistake of the caller's: everything else must be the same, and texts equally long
 *   (prompts of different chunk counts)
 */
export function requireOneBatch(requests: readonly GenerateRequest[], masksTexts = false): void {
  const shared = (all: GenerateRequest): string => {
    const { initImage, mask, keyframes, references, sourceVideo, conditioning, ...request } = all
    const settings = Object.entries(request)
      .filter(([name, value]) => !(name in OWN) && value !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
    const sizes = references?.map(({ width, height }) => [width, height])
    const texts = masksTexts ? conditioning.negativePromptEmbeds === null : conditioning.promptEmbeds.dims
    const places = keyframes?.map(({ at }) => at)
    const starts = [initImage === undefined, mask === undefined, places, sourceVideo?.frames]
    return JSON.stringify([settings, starts, sizes, texts])
  }
  const [first] = requests
  if (first === undefined) throw new RangeError('a batch needs at least one request')
  if (requests.some((request) => shared(request) !== shared(first))) {
    throw new RangeError(
      'requests of one batch may differ in prompts of one length, seed and init image alone',
    )
  }
}
