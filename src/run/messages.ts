/**
 * What the conductor and the inference worker say to each other. Everything is plain data; big arrays are
 * transferred, never copied twice.
 */
import type { PictureSettings, PromptSettings } from '../cue-sheet/setting-types.ts'
import type { RequestedProvider } from '../model/providers.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { FaultTable } from './faults.ts'

/** Slots of the shared control block, an Int32Array that both sides see while the worker's thread is blocked. */
export const CONTROL = {
  /** Previews handed out and not yet finished; at the limit the worker waits before it hands out another. */
  pendingPreviews: 0,
  /** 1 = stop before the next denoiser call. */
  stop: 1,
  slots: 2,
} as const

export interface WorkerStart {
  readonly control: SharedArrayBuffer
  readonly maxPendingPreviews: number
  /** Where conditioning that does not fit in memory is kept for the run. */
  readonly spillFolder: string
  readonly faults: FaultTable
}

export interface OpenModel {
  readonly type: 'open'
  readonly path: string
  readonly pipeline: string | undefined
  readonly previewDecoder: string | undefined
  readonly provider: RequestedProvider
  readonly deviceId: number | undefined
  readonly threads: number | undefined
}

export interface PromptJob {
  /** Two prompt sets with the same key are encoded once. */
  readonly key: string
  readonly request: PromptSettings
  /** Decides whether the negative side is needed. */
  readonly guidanceScale: number
}

export interface EncodePrompts {
  readonly type: 'encode'
  readonly prompts: readonly PromptJob[]
}

export interface LoadDenoiser {
  readonly type: 'load-denoiser'
  readonly withVaeEncoder: boolean
}

export interface JobPreviews {
  /** Steps every, 2 × every, … and the last are handed out. */
  readonly every: number
  readonly source: 'denoised' | 'latents'
  /** `handed` = latents go to the main thread; `full` and `taesd` = decoded here, on the inference device. */
  readonly method: 'handed' | 'full' | 'taesd'
}

/** One picture of a batch. */
export interface Job extends PictureSettings {
  /** Index in the plan's list of units; comes back in every message. */
  readonly unit: number
  readonly promptKey: string
  /** [3, height, width] in −1 … 1. */
  readonly initImage: Float32Array | undefined
  readonly previews: JobPreviews | null
}

export interface Generate {
  readonly type: 'generate'
  readonly jobs: readonly Job[]
}

/** Drops the model: sessions, conditioning, spill file. */
export interface CloseModel {
  readonly type: 'close'
}

export type WorkerRequest = OpenModel | EncodePrompts | LoadDenoiser | Generate | CloseModel
export type ToWorker = { readonly id: number } & WorkerRequest

/** An error's face that survives the thread boundary. */
export interface WireError {
  readonly code: string
  readonly message: string
  readonly help: string | undefined
  readonly stage: string | undefined
  /** Set for what is not a PregenError: a bug's stack. */
  readonly stack: string | undefined
}

export interface EncodedPrompt {
  readonly key: string
  readonly durationMs: number
  /** Of the encoded text; 0 after an error. Pictures of one batch need equally long texts. */
  readonly tokens: number
  readonly warnings: readonly { readonly code: string; readonly message: string }[]
  readonly error: WireError | null
}

export interface Generated {
  readonly unit: number
  readonly image: RgbImage
  readonly stepDurationsMs: readonly number[]
  readonly decodeMs: number
}

/** Told while a request is in work. */
export type WorkerNews =
  | { readonly type: 'started'; readonly unit: number }
  | {
      readonly type: 'step'
      readonly unit: number
      readonly step: number
      readonly steps: number
      readonly durationMs: number
    }
  | {
      readonly type: 'latents'
      readonly unit: number
      readonly step: number
      readonly data: Float32Array
      /** [1, channels, height, width] */
      readonly dims: readonly number[]
    }
  | { readonly type: 'preview'; readonly unit: number; readonly step: number; readonly image: RgbImage }
  | {
      readonly type: 'preview-failed'
      readonly unit: number
      readonly step: number
      readonly error: WireError
    }
  | { readonly type: 'loaded'; readonly durationMs: number }

/** What a request is answered with; `type` is the request's. */
export type WorkerAnswer =
  | { readonly type: 'open'; readonly provider: string }
  | { readonly type: 'encode'; readonly prompts: readonly EncodedPrompt[] }
  | { readonly type: 'load-denoiser' }
  | { readonly type: 'generate'; readonly pictures: readonly Generated[] }
  | { readonly type: 'close' }

export type AnswerTo<T extends WorkerRequest['type']> = Extract<WorkerAnswer, { type: T }>

export type FromWorker =
  | { readonly type: 'news'; readonly news: WorkerNews }
  | {
      readonly type: 'done'
      readonly id: number
      readonly answer: WorkerAnswer
      /** Time inside `session.run` so far, previews' decoding not counted. */
      readonly sessionRunMs: number
    }
  | { readonly type: 'failed'; readonly id: number; readonly error: WireError; readonly sessionRunMs: number }
