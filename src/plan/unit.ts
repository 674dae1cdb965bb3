/** One picture to make: a variant with every setting resolved. Plain data; the same sheet gives the same units. */

import type { FileSettings, PictureSettings, PromptSettings } from '../cue-sheet/setting-types.ts'
import type { FilmOptions } from '../films/film-options.ts'

export const PREVIEW_METHODS = ['none', 'latent2rgb', 'taesd', 'full', 'auto'] as const
export const PREVIEW_FRAMES = ['middle', 'all', 'animated'] as const
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
  /** Absent for pictures. */
  readonly frames?: PreviewFrames | undefined
}

/** Of a video: its middle frame, all in a grid, or the middle one and beside it all as an animated WebP. */
export type PreviewFrames = (typeof PREVIEW_FRAMES)[number]

export interface InitImage {
  /** Absolute path, or an https URL. */
  readonly source: string
  /** How a picture of another aspect is brought to width × height; undefined: another aspect is an error. */
  readonly fit: 'cover' | 'contain' | 'fill' | undefined
}

export interface InitVideo {
  /** Absolute path of a folder of numbered pictures. */
  readonly source: string
  readonly fit: InitImage['fit']
}

/**
 * Its settings as SETTINGS has them, resolved: those of the prompt, of the picture and of the files, and what planning
 * has made of the others.
 */
export interface Unit extends PromptSettings, PictureSettings, FileSettings {
  readonly cue: string
  readonly variant: string
  readonly program: string
  /** Where a matrix made it: the matrix's keys with this unit's values, in the order of the sheet. */
  readonly axes?: Readonly<Record<string, string>> | undefined
  /** Its kind of output, a row of OUTPUT_KINDS: `image`. */
  readonly output: string
  /** Id in the sheet's `models`. */
  readonly model: string
  /** Whether the denoiser is evaluated a second time, for the negative prompt. */
  readonly guided: boolean
  /** As the schedule will execute them: equal to `steps` but for image-to-image. */
  readonly executedSteps: number
  /** null: no step pictures and no timing.json (the program P0, or `previews: false`). */
  readonly previews: PreviewSettings | null
  readonly image: InitImage | undefined
  /** The last frame of a video, whose first is `image`. */
  readonly lastImage?: InitImage | undefined
  /** The video that drawing starts from. */
  readonly video?: InitVideo | undefined
  /** Absolute path or https URL of the mask, which is brought to size as the image is; undefined: none. */
  readonly mask?: string | undefined
  /** Absolute paths or https URLs of the pictures that the model looks at; undefined: none. */
  readonly images?: readonly string[] | undefined
  readonly exactCopyMode: boolean
  /** How a film is made of its steps; absent: none. Nothing of it is in the unit's digest. */
  readonly film?: FilmOptions | undefined
}

/** `dawn/wide`, the name of a unit in every message. */
export function unitName(unit: { readonly cue: string; readonly variant: string }): string {
  return `${unit.cue}/${unit.variant}`
}
