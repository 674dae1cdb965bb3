/** One picture to make: a variant with every setting resolved. Plain data; the same sheet gives the same units. */
import type { SchedulerConfig, SchedulerName } from '../diffusion/scheduler.ts'

export const PREVIEW_METHODS = ['none', 'latent2rgb', 'taesd', 'full', 'auto'] as const
export type PreviewMethod = (typeof PREVIEW_METHODS)[number]

export interface PreviewSettings {
  /** `auto` is resolved against the model at plan time: taesd where it has a preview decoder, else latent2rgb. */
  readonly method: Exclude<PreviewMethod, 'auto' | 'none'>
  /** Steps k, 2k, … and the last have a PNG. */
  readonly every: number
  /** The predicted x0, or the raw (noisy) state. */
  readonly source: 'denoised' | 'latents'
  /** One pixel a latent (latent2rgb only; decoders give full size), or enlarged to the picture's size. */
  readonly size: 'latent' | 'image'
}

export interface InitImage {
  /** Absolute path, or an https URL. */
  readonly source: string
  /** How a picture of another aspect is brought to width × height; undefined: another aspect is an error. */
  readonly fit: 'cover' | 'contain' | 'fill' | undefined
}

export interface Unit {
  readonly cue: string
  readonly variant: string
  readonly program: string
  /** Where a matrix made it: the matrix's keys with this unit's values, in the order of the sheet. */
  readonly axes?: Readonly<Record<string, string>> | undefined
  /** Id in the sheet's `models`. */
  readonly model: string
  readonly prompt: string
  /** undefined = none was given, which some families treat unlike `""`. */
  readonly negativePrompt: string | undefined
  readonly prompt2: string | undefined
  readonly negativePrompt2: string | undefined
  readonly promptSyntax: 'plain' | 'a1111'
  readonly maxSequenceLength: number | undefined
  /** 0 … 2^64 − 1. */
  readonly seed: bigint
  readonly rng: 'torch-cpu' | 'philox'
  /** As asked for. */
  readonly steps: number
  /** As the schedule will execute them: equal to `steps` but for image-to-image. */
  readonly executedSteps: number
  readonly guidanceScale: number
  readonly width: number
  readonly height: number
  /** undefined name: the model folder's own scheduler. `config` holds the sheet's overrides. */
  readonly scheduler: { readonly name: SchedulerName | undefined; readonly config: SchedulerConfig }
  /** null: no step pictures and no timing.json (the program P0, or `previews: false`). */
  readonly previews: PreviewSettings | null
  readonly image: InitImage | undefined
  /** Image-to-image only; 0 … 1. */
  readonly denoiseStrength: number | undefined
  readonly exactCopyMode: boolean
  readonly thumbnail: boolean
  readonly embedMetadata: boolean
  /** Up to this many variants that differ in prompt and seed only share a model call. 1 = none. */
  readonly batch: number
}

/** `dawn/wide`, the name of a unit in every message. */
export function unitName(unit: { readonly cue: string; readonly variant: string }): string {
  return `${unit.cue}/${unit.variant}`
}
