/**
 * What a model family is. Its facts are pure: planning and the sheet's schema read them without loading a model, a
 * session or ONNX Runtime. Its pipeline is loaded when a model of it is drawn with.
 */
import type { StrengthRule } from '../diffusion/img2img.ts'
import type { SchedulerConfig, SchedulerName, SetTimestepsOptions } from '../diffusion/scheduler.ts'
import type { Agreement } from './agreements.ts'
import type { ComponentContract } from './contract.ts'
import type { GuidanceKind } from './guidance.ts'
import type { ModelView } from './model-view.ts'

/** One row a latent channel, columns red, green, blue; applied to model-space latents, giving −1 … 1. */
export interface LatentRgbFactors {
  readonly factors: readonly (readonly [number, number, number])[]
  readonly bias: readonly [number, number, number]
}

export interface FamilyFacts {
  /** As sheets, messages and fingerprints name it. */
  readonly name: string
  /** As people name it. */
  readonly title: string
  /** diffusers' text-to-image class: `_class_name` of model_index.json. */
  readonly pipelineClass: string
  /** diffusers' classes beside it that load the same folders. */
  readonly otherClasses?: readonly string[]
  /** The scheduler class that its published models come with. */
  readonly schedulerClass: string
  /** What its components must take and give. */
  readonly contract: readonly ComponentContract[]
  /** The component that denoises. */
  readonly denoiser: string
  readonly latentChannels: number
  /** Its latents are Stable Diffusion 1's, which AutoencoderKL's own defaults (scaling 0.18215) belong to. */
  readonly hasDefaultVae: boolean
  /** Values that `latents_mean` and `latents_std` must have for each latent channel, where nothing else scales latents. */
  readonly statisticsPerChannel?: number
  /** false: diffusers has no pipeline of it that starts from a picture. */
  readonly imageToImage?: false
  /** Absent: it does not draw within a mask. */
  readonly inpainting?: {
    /** diffusers' default of the pipeline call, where the sheet names no strength. */
    readonly strength: number
  }
  readonly defaults: {
    /** diffusers' defaults of the pipeline call. */
    readonly steps: number
    readonly guidanceScale: number
    /** Width and height over the VAE's scale where the denoiser's config does not tell. */
    readonly sampleSize: number | ((model: ModelView) => readonly [height: number, width: number])
    /** Where the pipeline's own is another than 1. */
    readonly trueCfgScale?: number
  }
  /** When a negative prompt is evaluated. */
  readonly guidance: GuidanceKind
  /** Guidance gives the denoiser its negative and its positive half in one call, where they are not too large. */
  readonly stacksGuidance?: true
  /**
   * onnxruntime's own tool makes one operator of its denoiser's attention. Not FLUX.1's: the tool reads it, and finds none in
   * the transformers that torch 2 and diffusers 0.39 export.
   */
  readonly hasFusableAttention?: true
  /** Whether this very model has learned its guidance, so that guidance_scale does nothing; default: none has. */
  readonly isDistilled?: (model: ModelView) => boolean
  /** Settings that mean something to it and not to every family, by their names in a unit. */
  readonly takes: readonly string[]
  /** Settings that every other family reads and this one does not. */
  readonly ignores?: readonly string[]
  /** Prompts of unequal length may share a call: what pads the shorter ones is masked. */
  readonly masksTexts?: boolean
  /** Of a VAE whose config has none; default 0.18215, AutoencoderKL's own. */
  readonly vaeScalingFactor?: number
  /** What its components say of each other's widths. */
  readonly agreements: (model: ModelView) => readonly Agreement[]
  /** Width and height in pixels must be multiples of this. */
  readonly sizeMultiple: (model: ModelView) => number
  /** The longest prompt in tokens that `max_sequence_length` may ask for, or null where it means nothing. */
  readonly maxSequenceLength: (model: ModelView) => number | null
  /**
   * How planning tells which prompts will be cut off: its encoders, in the order of the contract, read the prompt, the
   * second prompt and the prompt. Absent: only the run tells.
   */
  readonly cuts?: TextLimits
  readonly schedule: ScheduleRules
  /** What it makes has a time axis. */
  readonly video?: VideoRules
  /**
   * Linear latent-to-RGB factors that others have published for its latent space, or null.
   * @param vaeScalingFactor tells latent spaces apart where the family has several, as do their channels
   */
  readonly previewFactors: (vaeScalingFactor?: number, latentChannels?: number) => LatentRgbFactors | null
  /** Its stages, as a module that exports `encodePrompt` and `generate`. */
  readonly pipeline: () => Promise<object>
}

/** What there is to know of a family that makes videos. */
export interface VideoRules {
  readonly defaults: (model: ModelView) => { readonly numFrames: number; readonly fps: number }
  /** Frames that each latent frame after the first stands for: a video has a multiple of them, and one. */
  readonly framesPerLatent: (model: ModelView) => number
  readonly keyframes: (model: ModelView) => KeyframeRules
  /** Whether drawing may start from another video. */
  readonly startsFromVideo: (model: ModelView) => boolean
  /** The one length of the text that the model understands; null: any up to the longest. */
  readonly textLength: (model: ModelView) => number | null
}

/** Which pictures of a video's own the model is given. */
export interface KeyframeRules {
  readonly first: KeyframeUse
  readonly last: KeyframeUse
}

export type KeyframeUse = 'needed' | 'optional' | 'none'

export interface TextLimits {
  /** Tokens that the last encoder reads where `max_sequence_length` is not set; null: CLIP's are all there is. */
  readonly sequenceLength: number | null
  /** All CLIP encoders read as many tokens as the first tokenizer says, whatever their own says. */
  readonly firstDecides?: true
  /** What a chat's template puts before and after a prompt. */
  readonly template?: ChatTemplate
  /** Prompts are mended and unescaped before they are read, as `text/clean-prompt.ts` does. */
  readonly isCleaned?: true
  /** Leading tokens of the template that are read beyond that length, and thrown away. */
  readonly droppedTokens?: number
}

export type ChatTemplate = readonly [before: string, after: string]

/** How its pipeline drives a scheduler. */
export interface ScheduleRules {
  /** How strength picks the first step of image-to-image. */
  readonly strength: StrengthRule
  /** The folder's scheduler_config.json as the pipeline hands it on. @param madeAnew the sheet sets a name or a key */
  readonly mendConfig?: (config: SchedulerConfig, madeAnew: boolean) => SchedulerConfig
  /** What the pipeline passes to `setTimesteps` beside the number of steps. */
  readonly options?: (config: SchedulerConfig, shape: ScheduleShape) => SetTimestepsOptions
  /** Why a scheduler cannot drive this family, or null where it can. */
  readonly misfit: (scheduler: ResolvedScheduler) => Misfit | null
}

export interface ScheduleShape {
  readonly scheduler: SchedulerName
  readonly steps: number
  /** Tokens of the picture: width × height over the square of the size multiple. */
  readonly imageTokens: number
}

export interface ResolvedScheduler {
  readonly name: SchedulerName
  /** Every key of the class. */
  readonly config: SchedulerConfig
  /** The model folder's own, which tells what the model was trained for. */
  readonly folderConfig: SchedulerConfig
}

export interface Misfit {
  /** Goes on after `flow-match-euler …`. */
  readonly why: string
  /** What works instead. */
  readonly help: string
}

/** Keeps the literal names of a family's components, of which the unions of names are made. */
export function defineFamily<const Facts extends FamilyFacts>(facts: Facts): Facts {
  return facts
}
