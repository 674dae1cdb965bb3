/** What planning must know of a model folder. `model/` reads it from disk; planning stays pure. */

import type { SchedulerConfig } from '../diffusion/scheduler.ts'
import type { ErrorCode } from '../error-codes.ts'
import type { KeyframeRules } from '../families/family.ts'
import type { FamilyName } from '../families/index.ts'
import type { FixedShapes } from './fixed-shapes.ts'
import type { MemoryFacts } from './memory.ts'

/** An error's code and words, as plain data. */
export interface PreviewDecoderFault {
  readonly code: ErrorCode
  readonly message: string
  readonly help: string
  readonly file: string
}

export interface ModelFacts {
  readonly family: FamilyName
  /** sha-256 over the folder's files that decide pixels. */
  readonly fingerprint: string
  /** The same without what previews alone are made with; absent: no optimized graphs are looked for. */
  readonly graphsFingerprint?: string | undefined
  /** diffusers' defaults of the family (steps, guidance) and the folder's native size. */
  readonly defaults: {
    readonly steps: number
    readonly guidanceScale: number
    /** Where the family has one of its own. */
    readonly trueCfgScale?: number | undefined
    readonly width: number
    readonly height: number
  }
  /** Width and height must be multiples of this (VAE scale, times the patch where there is one). */
  readonly sizeMultiple: number
  readonly latentChannels: number
  readonly schedulerClass: string
  readonly schedulerConfig: SchedulerConfig
  readonly hasVaeEncoder: boolean
  /** Its denoiser was trained for inpainting: it takes a mask, and draws nothing without one. */
  readonly needsMask?: boolean
  readonly hasPreviewDecoder: boolean
  /** Why the preview decoder that is there cannot be used; null or absent: none is there, or it can. */
  readonly previewDecoderFault?: PreviewDecoderFault | null
  /** Whether linear factors exist for its latent space: `preview.json` in the folder, or published ones of the family. */
  readonly hasLatentRgb: boolean
  /** The longest prompt in tokens that `max_sequence_length` may ask for, or null where it means nothing. */
  readonly maxSequenceLength: number | null
  /** Sizes that the export has built in; absent: none. */
  readonly fixed?: FixedShapes
  /**
   * What guidance_scale does: a second evaluation with the negative prompt, an input of the model, or nothing; absent: what
   * the family says.
   */
  readonly guidance?: 'second-evaluation' | 'input' | 'none'
  /** What the estimate of memory is made from; absent: nothing is said of it. */
  readonly memory?: MemoryFacts | undefined
  /** Of models that make videos. */
  readonly video?: VideoFacts | undefined
}

export interface VideoFacts {
  /** Where the sheet says nothing. */
  readonly numFrames: number
  readonly fps: number
  /** A video has a multiple of these, and one frame. */
  readonly framesPerLatent: number
  readonly keyframes: KeyframeRules
  readonly startsFromVideo: boolean
  /** Whether a second denoiser takes over on the way; absent: none does. */
  readonly hasSecondExpert?: boolean
  /** The one length of the text that the model understands; null: any up to the longest. */
  readonly textLength: number | null
  /** How its CLIP is shown pictures; null without one. */
  readonly vision: VisionFacts | null
  readonly cost: VideoCostFacts
}

/** What memory and work are reckoned from. */
export interface VideoCostFacts {
  readonly framesPerLatent: number
  /** Pixels of a token's side. */
  readonly tokenSide: number
  /** Of the denoiser. */
  readonly heads: number
  readonly layers: number
  readonly channels: number
  readonly feedForward: number
  /** Positions that it knows along time, height and width. */
  readonly maxPositions: number
  /** Attention is one operator, which holds no scores; else each pair of tokens has a number in memory. */
  readonly hasFusedAttention: boolean
  /** Of the files, in bytes. */
  readonly weights: { readonly text: number; readonly denoiser: number; readonly vae: number }
  /** What the VAE's decoder carries from one call to the next, for each pixel of a frame. */
  readonly cacheBytesAPixel: number
}

export interface VisionFacts {
  /** Of the square that it sees, cropped from the middle. */
  readonly side: number
  /** What the shorter edge of a picture is brought to before. */
  readonly shortestEdge: number
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}
