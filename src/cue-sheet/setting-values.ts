/** Settings whose value needs reading beyond its type: seeds, images, schedulers, previews, what is deprecated. */
import { resolve } from 'node:path'
import { nearest } from '../did-you-mean.ts'
import { type NamedScheduler, SCHEDULER_CLASS_NAMES, schedulerNameOfClass } from '../diffusion/class-names.ts'
import {
  MAX_STEPS,
  SCHEDULER_NAMES,
  type SchedulerConfig,
  type SchedulerName,
} from '../diffusion/scheduler.ts'
import {
  FILM_DEFAULTS,
  FILM_FORMATS,
  type FilmFormat,
  type FilmOptions,
  MAX_FADE_MS,
  MAX_FILM_FPS,
  MAX_HOLD_MS,
  MAX_PACE,
  parseDurationMs,
} from '../films/film-options.ts'
import { z } from '../zod.ts'
import { formatPath, quoteWritten } from './faults.ts'
import type { ValuePlace } from './setting-row.ts'

const MAX_SEED = 2n ** 64n - 1n

export const SEED_RULE = {
  code: 'E_BAD_SEED',
  must: `a whole number from 0 to ${MAX_SEED} (2^64 - 1)`,
} as const

export const seedSchema = z.union([z.int().min(0), z.string().regex(/^\d{1,20}$/)])

/** @returns undefined after a fault */
export function readSeed(value: number | string, { path, context }: ValuePlace): bigint | undefined {
  const seed = BigInt(value)
  if (seed <= MAX_SEED) return seed
  const { doc, faults } = context
  const { code, must } = SEED_RULE
  const shown = quoteWritten(doc.written(path) ?? String(value))
  faults.add(code, doc.locate(path), `${formatPath(path)} is ${shown}.`, `It must be ${must}.`)
  return undefined
}

/** Blanks, and characters that show nothing. */
const NOTHING = /^[\s\p{Cf}\u115f\u1160\u3164\uffa0]*$/u

export function readPrompt(value: string, { path, context }: ValuePlace): string {
  if (NOTHING.test(value)) {
    const what = value === '' ? 'is empty' : 'holds blanks and nothing else'
    context.faults.warn('W_EMPTY_PROMPT', context.doc.locate(path), `${formatPath(path)} ${what}.`)
  }
  return value
}

/** @returns an absolute path or an https URL; undefined after a fault */
export function readImage(value: string, { path, context }: ValuePlace): string | undefined {
  const { doc, faults, directory } = context
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(value)?.[1]?.toLowerCase()
  if (scheme === undefined) return resolve(directory, value)
  const isHttps = scheme === 'https'
  if (isHttps && URL.canParse(value)) return value
  faults.add(
    isHttps ? 'E_IMAGE_URL_INVALID' : 'E_IMAGE_URL_SCHEME',
    doc.locate(path),
    `${formatPath(path)} is ${quoteWritten(doc.written(path) ?? value)}.`,
    'It must be a path relative to the sheet, or an https URL.',
  )
  return undefined
}

/** @returns an absolute path; undefined after a fault */
export function readVideoPath(value: string, { path, context }: ValuePlace): string | undefined {
  const { doc, faults, directory } = context
  if (!/^[a-z][a-z0-9+.-]+:/i.test(value)) return resolve(directory, value)
  faults.add(
    'E_VIDEO_URL',
    doc.locate(path),
    `${formatPath(path)} is ${quoteWritten(doc.written(path) ?? value)}.`,
    'A video is read from a file or a folder of pictures on this machine: give its path, relative to the sheet.',
  )
  return undefined
}

/** @returns undefined after a fault in any of them */
export function readImages(values: string[], { path, context }: ValuePlace): readonly string[] | undefined {
  const read = values.map((value, index) => readImage(value, { path: [...path, index], context }))
  const found = read.filter((value) => value !== undefined)
  return found.length === values.length ? found : undefined
}

export function readReferenceStrength(reference: number, { path, context }: ValuePlace): number {
  // 1 − 0.7 is 0.30000000000000004 in binary: give back the decimal that was meant.
  const strength = Number((1 - reference).toFixed(12))
  const message = `reference_strength is deprecated: ${reference} is read as denoise_strength ${strength}.`
  context.faults.warn('W_REFERENCE_STRENGTH', context.doc.locate(path, 'key'), message)
  return strength
}

/** Every word that `scheduler` takes, for messages and editors: our own, and diffusers' class names. */
const SCHEDULER_WORDS: readonly string[] = [...SCHEDULER_NAMES, ...SCHEDULER_CLASS_NAMES]

/** The scheduler that a sheet's word stands for, with what a class name implies; null for an unknown word. */
function findScheduler(word: string, config: SchedulerConfig): NamedScheduler | null {
  const own = SCHEDULER_NAMES.find((name) => name === word)
  return own === undefined ? schedulerNameOfClass(word, config) : { name: own, impliedConfig: {} }
}

const schedulerValue = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.number())])

const schedulerName = z
  .string()
  .min(1)
  .meta({ examples: [...SCHEDULER_WORDS] })

export const schedulerSchema = z.union([
  schedulerName,
  z.object({ name: schedulerName.optional() }).catchall(schedulerValue),
])

export interface SheetScheduler {
  /** undefined: the model folder's own. */
  readonly name: SchedulerName | undefined
  /** Overrides of the folder's scheduler_config.json. */
  readonly config: SchedulerConfig
}

export function readScheduler(
  value: z.infer<typeof schedulerSchema>,
  { path, context: { doc, faults } }: ValuePlace,
): SheetScheduler {
  const { name: word, ...config } = typeof value === 'string' ? { name: value } : value
  const overrides: SchedulerConfig = config
  if (word === undefined) return { name: undefined, config: overrides }
  const found = findScheduler(word, overrides)
  if (found === null) {
    const at = typeof value === 'string' ? path : [...path, 'name']
    const guess = nearest(word, SCHEDULER_WORDS)
    const valid = `Valid: ${SCHEDULER_WORDS.join(', ')}.`
    const message = `${formatPath(at)} is ${quoteWritten(doc.written(at) ?? word)}.`
    const help = guess === undefined ? valid : `Did you mean "${guess}"? ${valid}`
    faults.add('E_UNKNOWN_SCHEDULER', doc.locate(at), message, help)
  }
  return { name: found?.name, config: { ...found?.impliedConfig, ...overrides } }
}

export const previewsMapSchema = z.strictObject({
  method: z
    .enum(['none', 'latent2rgb', 'taesd', 'full', 'auto'])
    .optional()
    .describe(
      "How step pictures are made: none, latent2rgb (a linear map), taesd (a tiny decoder), full (the model's own VAE), or auto (default: taesd where the model has one, else latent2rgb).",
    ),
  every: z
    .int()
    .min(1)
    .max(MAX_STEPS)
    .optional()
    .describe('Steps every, 2 × every, … and the last have a picture. Default 1.'),
  source: z
    .enum(['denoised', 'latents'])
    .optional()
    .describe('The predicted final picture (denoised, default) or the raw noisy state (latents).'),
  size: z
    .enum(['latent', 'image'])
    .optional()
    .describe('One pixel a latent (latent) or enlarged to the size of the picture (image, default).'),
  frames: z
    .enum(['middle', 'all', 'animated'])
    .optional()
    .describe(
      'Of a video: its middle frame (middle, default), all of them in a grid (all), or the middle one and beside it all as a small animated WebP (animated).',
    ),
})

export type SheetPreviews = Readonly<z.infer<typeof previewsMapSchema>>

/** false: explicitly off; a map (perhaps empty): explicitly on. */
export function readPreviews(value: boolean | SheetPreviews): SheetPreviews | false {
  return typeof value === 'boolean' ? value && {} : value
}

const FILM_MAP = {
  format: z
    .enum(FILM_FORMATS)
    .optional()
    .describe(
      'Kind of film. Default mp4. prores comes as .mov; hap needs an ffmpeg on the PATH; ffconcat and frames are no single file.',
    ),
  pace: z
    .union([
      z.literal(true),
      z.literal('even'),
      z
        .number()
        .min(1 / MAX_PACE)
        .max(MAX_PACE),
    ])
    .optional()
    .describe('true (default): as long as each step took; even: all alike; a number: so many times as fast.'),
  hold: z
    .string()
    .regex(/^\d{1,7}(?:\.\d{1,3})?(?:ms|s)$/)
    .optional()
    .describe('How long the final picture stays, such as 2s (default) or 500ms.'),
  fade: z.int().min(0).max(MAX_FADE_MS).optional().describe('Milliseconds of a cross-fade. Default 0: cuts.'),
  fps: z
    .number()
    .gt(0)
    .max(MAX_FILM_FPS)
    .optional()
    .describe('Frames a second, such as 25 or 29.97. Default 30.'),
} as const

export const filmMapSchema = z.strictObject(FILM_MAP)

export interface SheetFilm extends Omit<FilmOptions, 'frameRate'> {
  readonly fps: number
}

/** false: explicitly none. */
export function readFilm(
  value: false | FilmFormat | z.infer<typeof filmMapSchema>,
  { path, context: { doc, faults } }: ValuePlace,
): SheetFilm | false {
  if (value === false) return false
  const { format, pace, hold, fade, fps } = typeof value === 'string' ? { format: value } : value
  const holdMs = parseDurationMs(hold ?? FILM_DEFAULTS.hold) ?? Number.POSITIVE_INFINITY
  if (holdMs > MAX_HOLD_MS) {
    const at = [...path, 'hold']
    faults.add('E_BAD_VALUE', doc.locate(at), `${formatPath(at)} must be at most ${MAX_HOLD_MS / 1000}s.`)
  }
  const film = {
    format: format ?? FILM_DEFAULTS.format,
    pace: pace === undefined || pace === true ? ('true' as const) : pace,
    holdMs,
    fadeMs: fade ?? FILM_DEFAULTS.fadeMs,
    fps: fps ?? FILM_DEFAULTS.fps,
  }
  return film
}
