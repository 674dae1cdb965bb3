/** What the inference process is asked, and what it answers and tells. Everything is plain data. */
import type { PictureSettings, PromptSettings } from '../cue-sheet/setting-types.ts'
import type { OptimizedModel } from '../model/optimize.ts'
import type {
  KnownProviders,
  PassedOver,
  ProviderName,
  ProviderStatus,
  RequestedProvider,
} from '../model/providers.ts'
import type { Keyframe, ReferencePicture } from '../pipelines/pipeline.ts'
import type { PreviewFrames } from '../plan/unit.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { InjectionTable } from './injection.ts'
import type { StoredPrompt } from './stored-prompt.ts'
import type { WireError } from './wire-error.ts'

/** What an inference process is told first. */
export interface InferenceStart {
  readonly injection: InjectionTable
  /** The tool's own process. */
  readonly toolPid: number
  readonly known: KnownProviders
}

export interface OpenModel {
  readonly path: string
  readonly pipeline: string | undefined
  readonly variant?: string | undefined
  readonly previewDecoder: string | undefined
  readonly provider: RequestedProvider
  readonly deviceId: number | undefined
  readonly threads: number | undefined
  /** Where `models optimize` keeps graphs of this model. */
  readonly optimizedRoot?: string | undefined
  /** Where conditioning that does not fit in memory is kept. */
  readonly spillFolder: string
}

export interface OptimizeOptions {
  readonly path: string
  readonly variant: string | undefined
  readonly provider: RequestedProvider
  /** `<cache>/optimized/<fingerprint>` */
  readonly root: string
}

export interface PromptJob {
  /** Two prompt sets with the same key are encoded once. */
  readonly key: string
  readonly request: PromptSettings
  /** Whether the negative side is needed. */
  readonly withNegative: boolean
}

export interface EncodePrompts {
  readonly prompts: readonly PromptJob[]
  /** Whether the text encoders stay in memory for further prompts. */
  readonly keepEncoders: boolean
  /** A scratch file that is made for what is encoded, for other devices to read. Default: it stays with the process. */
  readonly storeIn?: string | undefined
}

export interface JobPreviews {
  /** Steps every, 2 × every, … and the last are handed out. */
  readonly every: number
  readonly source: 'denoised' | 'latents'
  /** `handed` = latents go to the tool's process; `full` and `taesd` = decoded here, on the inference device. */
  readonly method: 'handed' | 'full' | 'taesd'
  /** Of a video; absent for pictures. */
  readonly frames?: PreviewFrames | undefined
}

/** A video that drawing starts from, as interleaved RGB in a file, a frame after the other at the size of the unit. */
export interface ScratchVideo {
  readonly path: string
  /** Tells videos apart. */
  readonly key: string
  readonly frames: number
}

/** One picture of a batch. */
export interface PictureJob extends PictureSettings {
  /** Index in the plan's list of units; comes back in every notice. */
  readonly unit: number
  readonly promptKey: string
  /** [3, height, width] in −1 … 1. */
  readonly initImage: Float32Array | undefined
  /** [height, width]: 1 where it is drawn anew, 0 where it is kept. */
  readonly mask?: Float32Array | undefined
  readonly references?: readonly ReferencePicture[] | undefined
  readonly keyframes?: readonly Keyframe[] | undefined
  readonly sourceVideo?: ScratchVideo | undefined
  readonly previews: JobPreviews | null
}

export interface EncodedPrompt {
  readonly key: string
  readonly durationMs: number
  /** Of the encoded text; 0 after an error. Pictures of one batch need equally long texts. */
  readonly tokens: number
  readonly warnings: readonly { readonly code: string; readonly message: string }[]
  readonly error: WireError | null
  /** With `storeIn`, where it was encoded. */
  readonly stored?: StoredPrompt | undefined
}

export interface AdoptedPrompt {
  readonly key: string
  readonly stored: StoredPrompt
}

export interface DrawnPicture {
  readonly unit: number
  /** Of a video its first frame. */
  readonly image: RgbImage
  readonly stepDurationsMs: readonly number[]
  readonly decodeMs: number
}

export interface ShownState {
  readonly data: Float32Array
  /** [1, channels, height, width]; with the frames before them of a video that is shown whole. */
  readonly dims: readonly number[]
}

/** Told while pictures are drawn. */
export type PictureNotice =
  | { readonly type: 'started'; readonly unit: number }
  | {
      readonly type: 'step'
      readonly unit: number
      readonly step: number
      readonly steps: number
      readonly durationMs: number
      /** Milliseconds since 1970: quick steps are told some time after they ended. */
      readonly endedAt: number
      /** The state that a preview is to show, where it is decoded elsewhere: with the step, for a message costs time. */
      readonly shown?: ShownState | undefined
    }
  /** Of a video, from 1, in order. */
  | {
      readonly type: 'frame'
      readonly unit: number
      readonly frame: number
      readonly frames: number
      readonly image: RgbImage
    }
  | {
      readonly type: 'preview'
      readonly unit: number
      readonly step: number
      /** Of a video its middle frame. */
      readonly image: RgbImage
      /** Of a video that is shown whole: all of them. */
      readonly frames?: readonly RgbImage[] | undefined
    }
  | {
      readonly type: 'preview-failed'
      readonly unit: number
      readonly step: number
      readonly error: WireError
    }

/** Time spent on loading what the call needed. */
interface Loaded {
  readonly loadMs: number
}

export interface InferenceProcedures {
  /** Whether a small model runs on a provider. */
  readonly probe: {
    readonly input: { readonly name: ProviderName; readonly deviceId: number }
    readonly output: ProviderStatus
    readonly notice: never
  }
  /** Keeps what ONNX Runtime makes of a model's graphs. */
  readonly optimize: {
    readonly input: OptimizeOptions
    readonly output: OptimizedModel
    readonly notice: never
  }
  readonly open: {
    readonly input: OpenModel
    readonly output: {
      readonly provider: ProviderName
      readonly deviceId: number
      readonly passedOver: readonly PassedOver[]
    }
    readonly notice: never
  }
  readonly encode: {
    readonly input: EncodePrompts
    readonly output: Loaded & { readonly prompts: readonly EncodedPrompt[] }
    readonly notice: never
  }
  /** Prompts that another device encoded. */
  readonly adopt: {
    readonly input: { readonly prompts: readonly AdoptedPrompt[] }
    readonly output: null
    readonly notice: never
  }
  readonly 'load-denoiser': {
    readonly input: { readonly withVaeEncoder: boolean }
    readonly output: Loaded
    readonly notice: never
  }
  readonly generate: {
    readonly input: { readonly jobs: readonly PictureJob[] }
    readonly output: { readonly pictures: readonly DrawnPicture[] }
    readonly notice: PictureNotice
  }
  /** Drops the conditioning of prompts that are not needed any more. */
  readonly forget: {
    readonly input: { readonly keys: readonly string[] }
    readonly output: null
    readonly notice: never
  }
  /** Drops the model: sessions, conditioning, spill file. */
  readonly close: { readonly input: null; readonly output: null; readonly notice: never }
}
