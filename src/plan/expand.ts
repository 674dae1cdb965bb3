/** A checked sheet and the facts of its models → units with every setting resolved. Pure. */
import { Faults, type SheetWarning } from '../cue-sheet/faults.ts'
import {
  type FileSettings,
  type PictureSettings,
  type PromptSettings,
  SETTING_ROWS,
  type SettingName,
  type Settings,
} from '../cue-sheet/setting-types.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import type { PregenError } from '../errors.ts'
import { createScheduleAccounts, type ScheduleRequest } from '../families/schedule.ts'
import {
  checkSequenceLength,
  checkShapes,
  checkSize,
  checkSyntax,
  noteUse,
  warnOfRemains,
} from './check-settings.ts'
import { EXACT_COPY_STRENGTH, exactCopySteps } from './exact-copy.ts'
import type { ModelFacts } from './model-facts.ts'
import { resolvePreviews } from './previews.ts'
import { createSettingUse } from './setting-use.ts'
import type { InitImage, Unit } from './unit.ts'
import { nameOfSetting, report, type VariantContext } from './variant-context.ts'

/** Strength of image-to-image where the sheet names none. */
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
  const use = createSettingUse()
  const told = new Set<string>()
  const units = sheet.cues.flatMap((cue) =>
    cue.variants.flatMap((variant) => {
      const { model } = variant.settings
      const modelFacts = model !== undefined && Object.hasOwn(facts, model) ? facts[model] : undefined
      if (model === undefined || modelFacts === undefined) {
        throw new Error(`no facts were given for the model "${model}" of ${cue.id}/${variant.id}`)
      }
      return [expandVariant({ sheet, cue, variant, facts: modelFacts, model, faults, accountFor, use, told })]
    }),
  )
  faults.throwIfAny()
  use.warn(sheet, faults)
  return { units, warnings: [...sheet.warnings, ...faults.warnings] }
}

function expandVariant(context: VariantContext): Unit {
  const { cue, variant, facts, model } = context
  const { settings } = variant
  const width = settings.width ?? facts.defaults.width
  const height = settings.height ?? facts.defaults.height
  checkSize(width, height, context)
  checkSequenceLength(context)
  checkSyntax(context)
  const trajectory = readTrajectory(context, (width * height) / facts.sizeMultiple ** 2)
  // Assigned, not spread: a quarter of the time for thousands of units.
  const unit: Unit = Object.assign(resolved(settings, facts), {
    cue: cue.id,
    variant: variant.id,
    program: cue.program,
    axes: variant.axes,
    model,
    previews: readPreviews(context),
    ...trajectory,
  })
  checkShapes(unit, context)
  noteUse(unit, context)
  warnOfRemains(unit, context)
  return unit
}

// Listed once: a sheet may have 100,000 units.
const UNIT_ROWS = SETTING_ROWS.filter(({ goes }) => goes !== 'plan')

type Resolved = PromptSettings & PictureSettings & FileSettings

/** Settings that go to a unit as they are set: by the sheet, else by the family or the table. */
function resolved(settings: Settings, { defaults, fixed }: ModelFacts): Resolved {
  const byFamily: Readonly<Record<string, unknown>> = defaults
  const values: Record<string, unknown> = {}
  for (const { name, otherwise } of UNIT_ROWS) {
    values[name] = settings[name] ?? (otherwise === 'family' ? byFamily[name] : otherwise)
  }
  if (fixed?.sequenceLength != null) values.maxSequenceLength ??= fixed.sequenceLength
  // One picture a call: another number would be another shape.
  if (fixed?.rows != null) values.batch = 1
  return values as Resolved
}

type Trajectoried = Pick<
  Unit,
  | 'scheduler'
  | 'image'
  | 'denoiseStrength'
  | 'exactCopyMode'
  | 'steps'
  | 'executedSteps'
  | 'guidanceScale'
  | 'negativePrompt'
  | 'negativePrompt2'
>

/** What image-to-image, exact_copy_mode and the schedule decide together. */
function readTrajectory(context: VariantContext, imageTokens: number): Trajectoried {
  const { variant, facts } = context
  const { settings } = variant
  const image: InitImage | undefined =
    settings.image === undefined ? undefined : { source: settings.image, fit: settings.fit }
  const exactCopyMode = image !== undefined && settings.exactCopyMode === true
  const asked = image === undefined ? undefined : (settings.denoiseStrength ?? DEFAULT_DENOISE_STRENGTH)
  const denoiseStrength = exactCopyMode && asked !== undefined ? Math.min(asked, EXACT_COPY_STRENGTH) : asked
  const steps =
    exactCopyMode && denoiseStrength !== undefined
      ? exactCopySteps(facts, denoiseStrength)
      : (settings.steps ?? facts.defaults.steps)
  const scheduler = settings.scheduler ?? { name: undefined, config: {} }
  if (image !== undefined && !facts.hasVaeEncoder) {
    const why = `needs image-to-image, but the model "${context.model}" has no vae_encoder`
    const help = 'Export the model with its VAE encoder, or take the image away.'
    report(context, 'image', { code: 'E_NO_VAE_ENCODER', why, help })
  }
  const { family, schedulerConfig: folderConfig } = facts
  const request = { family, folderConfig, scheduler, steps, strength: denoiseStrength, imageTokens }
  const executedSteps = countSteps(request, context)
  return {
    image,
    denoiseStrength,
    exactCopyMode,
    scheduler,
    steps,
    executedSteps,
    guidanceScale: exactCopyMode ? 1 : (settings.guidanceScale ?? facts.defaults.guidanceScale),
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
      `${nameOfSetting(origin, context, error.message)}: ${error.message}.`,
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
