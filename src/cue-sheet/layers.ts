/** One level of settings, made uniform; and the merging of levels. */
import { resolve } from 'node:path'
import type { SchedulerConfig } from '../diffusion/scheduler.ts'
import type { SheetDocument } from './convert.ts'
import { nearest } from './did-you-mean.ts'
import { type Faults, formatPath, quoteWritten, type SheetPath } from './faults.ts'
import { findScheduler, SCHEDULER_WORDS } from './scheduler-names.ts'
import type { LayerInput } from './schema.ts'
import { MAX_SEED, SETTING_RULES, type SettingKey } from './settings.ts'
import type { SettingName, SettingOrigins, Settings, SheetPreviews, SheetScheduler } from './sheet.ts'
import type { AllowedVariables } from './variables.ts'

/** A level: what it sets, and which settings it takes back to absent (`null` in the sheet). */
export interface Layer {
  readonly settings: Settings
  readonly unset: readonly SettingName[]
  readonly origins: SettingOrigins
  /** `previews: true`: on, and a lower `method: none` does not count. */
  readonly previewsOn: boolean
  /** `scheduler` names one, so that lower overrides are dropped. */
  readonly schedulerReplaced: boolean
}

export interface Merged {
  readonly settings: Settings
  readonly origins: SettingOrigins
}

export const EMPTY: Merged = { settings: {}, origins: {} }

export interface LayerContext {
  readonly doc: SheetDocument
  readonly faults: Faults
  readonly allowedVariables: AllowedVariables
  /** Characters that templates may still make; shared by all cues. */
  readonly budget: { characters: number }
  /** Folder that relative paths start from. */
  readonly directory: string
  /** Whether a cue has lost settings to faults that are reported already: then nothing is said to be missing. */
  readonly isTainted: (cue: string) => boolean
}

const NAMES: Readonly<Record<SettingKey, SettingName>> = {
  model: 'model',
  prompt: 'prompt',
  negative_prompt: 'negativePrompt',
  prompt_2: 'prompt2',
  negative_prompt_2: 'negativePrompt2',
  prompt_template: 'promptTemplate',
  max_sequence_length: 'maxSequenceLength',
  seed: 'seed',
  steps: 'steps',
  guidance_scale: 'guidanceScale',
  width: 'width',
  height: 'height',
  scheduler: 'scheduler',
  previews: 'previews',
  image: 'image',
  fit: 'fit',
  denoise_strength: 'denoiseStrength',
  reference_strength: 'denoiseStrength',
  exact_copy_mode: 'exactCopyMode',
  thumbnail: 'thumbnail',
  rng: 'rng',
  batch: 'batch',
  prompt_syntax: 'promptSyntax',
  embed_metadata: 'embedMetadata',
}

const KEYS: readonly SettingKey[] = Object.keys(NAMES).filter((key): key is SettingKey => key in NAMES)

/**
 * @param pathOf place of a key's value in the sheet
 */
export function readLayer(
  input: LayerInput,
  pathOf: (key: SettingKey) => SheetPath,
  context: LayerContext,
): Layer {
  const unset: SettingName[] = []
  const origins: Record<string, SheetPath> = {}
  for (const key of KEYS) {
    const value = input[key]
    if (value === undefined) continue
    if (value === null) unset.push(NAMES[key])
    else origins[NAMES[key]] = pathOf(key)
  }
  const { scheduler, previews } = input
  const settings: Settings = {
    ...defined({
      model: input.model,
      prompt: input.prompt,
      negativePrompt: input.negative_prompt,
      prompt2: input.prompt_2,
      negativePrompt2: input.negative_prompt_2,
      promptTemplate: input.prompt_template,
      maxSequenceLength: input.max_sequence_length,
      steps: input.steps,
      guidanceScale: input.guidance_scale,
      width: input.width,
      height: input.height,
      fit: input.fit,
      exactCopyMode: input.exact_copy_mode,
      thumbnail: input.thumbnail,
      rng: input.rng,
      batch: input.batch,
      promptSyntax: input.prompt_syntax,
      embedMetadata: input.embed_metadata,
      seed: input.seed == null ? undefined : readSeed(input.seed, pathOf('seed'), context),
      image: input.image == null ? undefined : readImage(input.image, pathOf('image'), context),
      denoiseStrength: readStrength(input, pathOf, context),
      scheduler: scheduler == null ? undefined : readScheduler(scheduler, pathOf('scheduler'), context),
      previews: previews == null ? undefined : typeof previews === 'boolean' ? previews && {} : previews,
    }),
  }
  for (const key of ['prompt', 'prompt_2'] as const) {
    if (input[key] !== '') continue
    const path = pathOf(key)
    context.faults.warn('W_EMPTY_PROMPT', context.doc.locate(path), `${formatPath(path)} is empty.`)
  }
  return {
    settings,
    unset,
    origins,
    previewsOn: previews === true,
    schedulerReplaced: typeof scheduler === 'string' || typeof scheduler?.name === 'string',
  }
}

/** `base` with `layer` laid over it. `scheduler` and `previews` maps merge key by key. */
export function mergeLayer(base: Merged, layer: Layer): Merged {
  const settings = { ...base.settings, ...layer.settings }
  const origins = { ...base.origins, ...layer.origins }
  const { scheduler, previews } = layer.settings
  if (scheduler && !layer.schedulerReplaced && base.settings.scheduler) {
    const { name, config } = base.settings.scheduler
    settings.scheduler = { name, config: { ...config, ...scheduler.config } }
  }
  if (previews) settings.previews = mergePreviews(base.settings.previews, previews, layer.previewsOn)
  for (const name of layer.unset) {
    delete settings[name]
    delete origins[name]
  }
  return { settings, origins }
}

function mergePreviews(
  base: SheetPreviews | false | undefined,
  upper: SheetPreviews,
  turnOn: boolean,
): SheetPreviews {
  const merged = { ...(base || {}), ...upper }
  if (turnOn && merged.method === 'none') merged.method = undefined
  return merged
}

/** Without the keys that are null or undefined. */
function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const kept: { [K in keyof T]?: NonNullable<T[K]> } = {}
  for (const key in values) {
    const value = values[key]
    if (value !== undefined && value !== null) kept[key] = value
  }
  return kept
}

/** @returns undefined after a fault */
export function readSeed(value: number | string, path: SheetPath, context: LayerContext): bigint | undefined {
  const seed = BigInt(value)
  if (seed <= MAX_SEED) return seed
  const { code, must } = SETTING_RULES.seed
  const { doc, faults } = context
  faults.add(
    code,
    doc.locate(path),
    `${formatPath(path)} is ${quoteWritten(doc.written(path) ?? String(value))}.`,
    `It must be ${must}.`,
  )
  return undefined
}

function readImage(
  value: string,
  path: SheetPath,
  { doc, faults, directory }: LayerContext,
): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(value)?.[1]?.toLowerCase()
  if (scheme === undefined) return resolve(directory, value)
  const isHttps = scheme === 'https'
  if (isHttps && URL.canParse(value)) return value
  const message = `${formatPath(path)} is ${quoteWritten(doc.written(path) ?? value)}.`
  faults.add(
    isHttps ? 'E_IMAGE_URL_INVALID' : 'E_IMAGE_URL_SCHEME',
    doc.locate(path),
    message,
    'It must be a path relative to the sheet, or an https URL.',
  )
  return undefined
}

function readStrength(
  input: LayerInput,
  pathOf: (key: SettingKey) => SheetPath,
  { doc, faults }: LayerContext,
): number | undefined {
  const { denoise_strength: denoise, reference_strength: reference } = input
  if (reference == null) return denoise ?? undefined
  const path = pathOf('reference_strength')
  if (denoise != null) {
    const message = `${formatPath(path.slice(0, -1))} has both denoise_strength and reference_strength.`
    faults.add('E_STRENGTH_TWICE', doc.locate(path, 'key'), message, 'Keep denoise_strength alone.')
    return denoise
  }
  // 1 − 0.7 is 0.30000000000000004 in binary: give back the decimal that was meant.
  const strength = Number((1 - reference).toFixed(12))
  const message = `reference_strength is deprecated: ${reference} is read as denoise_strength ${strength}.`
  faults.warn('W_REFERENCE_STRENGTH', doc.locate(path, 'key'), message)
  return strength
}

function readScheduler(
  value: NonNullable<LayerInput['scheduler']>,
  path: SheetPath,
  { doc, faults }: LayerContext,
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
