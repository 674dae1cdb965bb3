/** A checked sheet and the facts of its models → units with every setting resolved. Pure. */
import { Faults, formatPath, type SheetWarning } from '../cue-sheet/faults.ts'
import {
  type FileSettings,
  type PictureSettings,
  type PromptSettings,
  SETTING_ROWS,
  type SettingName,
  type Settings,
} from '../cue-sheet/setting-types.ts'
import { MAX_PIXELS } from '../cue-sheet/settings.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import type { PregenError } from '../errors.ts'
import type { FamilyFacts } from '../families/family.ts'
import { noGuidance } from '../families/guidance.ts'
import { familyOf } from '../families/index.ts'
import { createScheduleAccounts, type ScheduleRequest } from '../families/schedule.ts'
import { EXACT_COPY_STRENGTH, exactCopySteps } from './exact-copy.ts'
import { createFamilySettings, type FamilySettings, warnOfGuidance } from './family-settings.ts'
import { isGuided } from './guided.ts'
import type { ModelFacts } from './model-facts.ts'
import { readPictures, takes } from './pictures.ts'
import { resolvePreviews } from './previews.ts'
import type { Unit } from './unit.ts'
import { report, type VariantContext } from './variant-context.ts'

/** Strength of image-to-image where the sheet names none and there is no mask. */
export const DEFAULT_DENOISE_STRENGTH = 0.6

export interface ExpandedPlan {
  /** In the order of the sheet: cues, then their variants. */
  readonly units: readonly Unit[]
  readonly warnings: readonly SheetWarning[]
}

/**
 * @param facts by model id; every model of the sheet must be there
 * @throws PregenErrors with every fault that only the models' facts show, each with file, line and column
 */
export function expandUnits(sheet: CueSheet, facts: Readonly<Record<string, ModelFacts>>): ExpandedPlan {
  const faults = new Faults()
  const accountFor = createScheduleAccounts()
  const familySettings = createFamilySettings()
  const units = sheet.cues.flatMap((cue) =>
    cue.variants.flatMap((variant) => {
      const { model } = variant.settings
      const modelFacts = model !== undefined && Object.hasOwn(facts, model) ? facts[model] : undefined
      if (model === undefined || modelFacts === undefined) {
        throw new Error(`no facts were given for the model "${model}" of ${cue.id}/${variant.id}`)
      }
      const context = { sheet, cue, variant, facts: modelFacts, model, faults, accountFor }
      return [expandVariant(context, familySettings)]
    }),
  )
  familySettings.finish()
  faults.throwIfAny()
  return { units, warnings: [...sheet.warnings, ...faults.warnings] }
}

function expandVariant(context: VariantContext, familySettings: FamilySettings): Unit {
  const { cue, variant, facts, model } = context
  const { settings } = variant
  const width = settings.width ?? facts.defaults.width
  const height = settings.height ?? facts.defaults.height
  checkSize(width, height, context)
  checkSequenceLength(context)
  checkSyntax(context)
  familySettings.check(context)
  const trajectory = readTrajectory(context, (width * height) / facts.sizeMultiple ** 2)
  warnOfGuidance(context, trajectory)
  // Assigned, not spread: a quarter of the time for thousands of units.
  return Object.assign(resolved(settings, facts), {
    cue: cue.id,
    variant: variant.id,
    program: cue.program,
    // What every family makes so far.
    output: 'image',
    axes: variant.axes,
    model,
    previews: readPreviews(context),
    guided: isGuided(facts, trajectory),
    ...trajectory,
  })
}

// Listed once: a sheet may have 100,000 units.
const UNIT_ROWS = SETTING_ROWS.filter(({ goes }) => goes !== 'plan')

type Resolved = PromptSettings & PictureSettings & FileSettings

/** Settings that go to a unit as they are set: by the sheet, else by the family or the table. */
function resolved(settings: Settings, { defaults }: ModelFacts): Resolved {
  const byFamily: Readonly<Record<string, unknown>> = defaults
  const values: Record<string, unknown> = {}
  for (const { name, otherwise } of UNIT_ROWS) {
    values[name] = settings[name] ?? (otherwise === 'family' ? byFamily[name] : otherwise)
  }
  return values as Resolved
}

type Trajectoried = Pick<
  Unit,
  | 'scheduler'
  | 'image'
  | 'images'
  | 'mask'
  | 'denoiseStrength'
  | 'exactCopyMode'
  | 'steps'
  | 'executedSteps'
  | 'guidanceScale'
  | 'trueCfgScale'
  | 'negativePrompt'
  | 'negativePrompt2'
>

/** What image-to-image, exact_copy_mode and the schedule decide together. */
function readTrajectory(context: VariantContext, imageTokens: number): Trajectoried {
  const { variant, facts } = context
  const { settings } = variant
  const { image, images, mask } = readPictures({
    ...context,
    report: (name, fault) => report(context, name, fault),
  })
  const exactCopyMode = image !== undefined && settings.exactCopyMode === true
  const { inpainting }: FamilyFacts = familyOf(facts.family)
  const usual = (mask === undefined ? undefined : inpainting?.strength) ?? DEFAULT_DENOISE_STRENGTH
  const asked = image === undefined ? undefined : (settings.denoiseStrength ?? usual)
  const denoiseStrength = exactCopyMode && asked !== undefined ? Math.min(asked, EXACT_COPY_STRENGTH) : asked
  const steps =
    exactCopyMode && denoiseStrength !== undefined
      ? exactCopySteps(facts, denoiseStrength)
      : (settings.steps ?? facts.defaults.steps)
  const scheduler = settings.scheduler ?? { name: undefined, config: {} }
  const { family, schedulerConfig: folderConfig } = facts
  const request = { family, folderConfig, scheduler, steps, strength: denoiseStrength, imageTokens }
  const executedSteps = countSteps(request, context)
  return {
    image,
    images,
    mask,
    denoiseStrength,
    exactCopyMode,
    scheduler,
    steps,
    executedSteps,
    guidanceScale: exactCopyMode
      ? noGuidance(familyOf(family))
      : (settings.guidanceScale ?? facts.defaults.guidanceScale),
    trueCfgScale: settings.trueCfgScale ?? facts.defaults.trueCfgScale,
    negativePrompt: exactCopyMode ? undefined : settings.negativePrompt,
    negativePrompt2: exactCopyMode ? undefined : settings.negativePrompt2,
  }
}

/** @returns the executed steps, after reporting what stands in their way */
function countSteps(request: ScheduleRequest, context: VariantContext): number {
  const account = context.accountFor(request)
  if ('executedSteps' in account) return account.executedSteps
  for (const { key, error } of account.faults) reportScheduler(context, key, error)
  return request.steps
}

/** A scheduler's fault at the key of its map, at the number of steps, or at the setting as a whole. */
function reportScheduler(context: VariantContext, key: string | null, error: PregenError): void {
  const { variant, sheet, faults } = context
  const { scheduler: origin } = variant.origins
  if (key !== null && origin !== undefined) {
    const at = error.code === 'E_UNKNOWN_KEY' ? 'key' : 'value'
    faults.add(
      error.code,
      sheet.locate([...origin, key], at),
      `${formatPath(origin)}: ${error.message}.`,
      error.help,
    )
  } else {
    const { code, message, help } = error
    report(context, settingAtFault(error, context), { code, why: `does not work: ${message}`, help })
  }
}

function settingAtFault({ code }: PregenError, { variant }: VariantContext): SettingName {
  if (code === 'E_SCHEDULER_STEPS') return 'steps'
  if (code !== 'E_NO_STEPS') return 'scheduler'
  return variant.settings.denoiseStrength === undefined ? 'image' : 'denoiseStrength'
}

function checkSize(width: number, height: number, context: VariantContext): void {
  const { sizeMultiple } = context.facts
  for (const [name, value] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (value % sizeMultiple === 0) continue
    const near = Math.max(sizeMultiple, Math.round(value / sizeMultiple) * sizeMultiple)
    const why = `is ${value}; the model "${context.model}" makes multiples of ${sizeMultiple}`
    report(context, name, { code: 'E_SIZE_MULTIPLE', why, help: `The nearest is ${near}.` })
  }
  if (width * height > MAX_PIXELS) {
    const name = context.variant.settings.width === undefined ? 'height' : 'width'
    const why = `makes ${width} × ${height} = ${width * height} pixels`
    const help = `A picture may have ${MAX_PIXELS} pixels (4096 × 4096).`
    report(context, name, { code: 'E_TOO_MANY_PIXELS', why, help })
  }
}

function checkSequenceLength(context: VariantContext): void {
  const { maxSequenceLength: asked } = context.variant.settings
  const { maxSequenceLength: longest } = context.facts
  // One setting in defaults may serve models that read it and models that do not.
  if (asked === undefined || longest === null || asked <= longest) return
  const why = `is ${asked}; the model "${context.model}" takes ${longest} tokens at most`
  report(context, 'maxSequenceLength', { code: 'E_SEQUENCE_LENGTH', why, help: `Use ${longest} or less.` })
}

function checkSyntax(context: VariantContext): void {
  const { settings } = context.variant
  const { family } = context.facts
  const { title } = familyOf(family)
  if (settings.promptSyntax !== 'a1111' || takes(family, 'promptSyntax')) return
  const why = `is a1111; the model "${context.model}" (${title}) reads prompts as they are`
  report(context, 'promptSyntax', { code: 'E_PROMPT_SYNTAX', why, help: 'Leave prompt_syntax out.' })
}

function readPreviews(context: VariantContext): Unit['previews'] {
  const { sheet, cue, variant, facts, model } = context
  const hasDecoder = facts.hasPreviewDecoder || sheet.models[model]?.previewDecoder !== undefined
  const resolved = resolvePreviews(variant.settings.previews, cue.program, facts, hasDecoder)
  if ('previews' in resolved) {
    const { warning } = resolved
    const origin = variant.origins.previews ?? ['cues', cue.id]
    // One decoder, one word: the model's name keeps the warnings of a sheet apart.
    if (warning !== undefined) {
      context.faults.warn('W_PREVIEW_DECODER', sheet.locate(origin), `Model "${model}": ${warning}`)
    }
    return resolved.previews
  }
  report(context, 'previews', resolved)
  return null
}
