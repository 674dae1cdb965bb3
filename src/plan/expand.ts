/** A checked sheet and the facts of its models → units with every setting resolved. Pure. */
import { Faults, formatPath, type SheetPath, type SheetWarning } from '../cue-sheet/faults.ts'
import { MAX_PIXELS } from '../cue-sheet/settings.ts'
import type { CueSheet, SettingName, SheetCue, SheetVariant } from '../cue-sheet/sheet.ts'
import type { PregenError } from '../errors.ts'
import { EXACT_COPY_STRENGTH, exactCopySteps } from './exact-copy.ts'
import type { ModelFacts } from './model-facts.ts'
import { resolvePreviews } from './previews.ts'
import { createTrajectoryFinder, type Trajectory } from './trajectory.ts'
import type { InitImage, Unit } from './unit.ts'

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
  const findTrajectory = createTrajectoryFinder()
  const units = sheet.cues.flatMap((cue) =>
    cue.variants.flatMap((variant) => {
      const { model } = variant.settings
      const modelFacts = model !== undefined && Object.hasOwn(facts, model) ? facts[model] : undefined
      if (model === undefined || modelFacts === undefined) {
        throw new Error(`no facts were given for the model "${model}" of ${cue.id}/${variant.id}`)
      }
      return [expandVariant({ sheet, cue, variant, facts: modelFacts, model, faults, findTrajectory })]
    }),
  )
  faults.throwIfAny()
  return { units, warnings: [...sheet.warnings, ...faults.warnings] }
}

interface VariantContext {
  readonly sheet: CueSheet
  readonly cue: SheetCue
  readonly variant: SheetVariant
  readonly facts: ModelFacts
  readonly model: string
  readonly faults: Faults
  readonly findTrajectory: ReturnType<typeof createTrajectoryFinder>
}

function expandVariant(context: VariantContext): Unit {
  const { cue, variant, facts, model } = context
  const { settings } = variant
  const width = settings.width ?? facts.defaults.width
  const height = settings.height ?? facts.defaults.height
  checkSize(width, height, context)
  checkSequenceLength(context)
  const trajectory = readTrajectory(context)
  return {
    cue: cue.id,
    variant: variant.id,
    program: cue.program,
    axes: variant.axes,
    model,
    prompt: settings.prompt ?? '',
    prompt2: settings.prompt2,
    promptSyntax: settings.promptSyntax ?? 'plain',
    maxSequenceLength: settings.maxSequenceLength,
    seed: settings.seed ?? 0n,
    rng: settings.rng ?? 'torch-cpu',
    width,
    height,
    previews: readPreviews(context),
    thumbnail: settings.thumbnail ?? false,
    embedMetadata: settings.embedMetadata ?? false,
    batch: settings.batch ?? 1,
    ...trajectory,
  }
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
function readTrajectory(context: VariantContext): Trajectoried {
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
    report(
      context,
      'image',
      'E_NO_VAE_ENCODER',
      why,
      'Export the model with its VAE encoder, or take the image away.',
    )
  }
  const trajectory = context.findTrajectory({ facts, scheduler, steps, strength: denoiseStrength })
  const executedSteps = checkTrajectory(trajectory, steps, denoiseStrength, context)
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
function checkTrajectory(
  trajectory: Trajectory,
  steps: number,
  strength: number | undefined,
  context: VariantContext,
): number {
  if ('faults' in trajectory) {
    for (const { key, error } of trajectory.faults) reportScheduler(context, key, error)
    return steps
  }
  if (trajectory.executedSteps < 1) {
    const name = context.variant.settings.denoiseStrength === undefined ? 'image' : 'denoiseStrength'
    const why = `leaves no step to execute: ${steps} steps at denoise_strength ${strength}`
    report(context, name, 'E_NO_STEPS', why, 'Raise denoise_strength, or ask for more steps.')
  }
  return trajectory.executedSteps
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
    const name = error.code === 'E_SCHEDULER_STEPS' ? 'steps' : 'scheduler'
    report(context, name, error.code, `does not work: ${error.message}`, error.help)
  }
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
    report(context, name, 'E_SIZE_MULTIPLE', why, `The nearest is ${near}.`)
  }
  if (width * height > MAX_PIXELS) {
    const name = context.variant.settings.width === undefined ? 'height' : 'width'
    const why = `makes ${width} × ${height} = ${width * height} pixels`
    report(context, name, 'E_TOO_MANY_PIXELS', why, `A picture may have ${MAX_PIXELS} pixels (4096 × 4096).`)
  }
}

function checkSequenceLength(context: VariantContext): void {
  const { maxSequenceLength: asked } = context.variant.settings
  const { maxSequenceLength: longest } = context.facts
  // One setting in defaults may serve models with and without T5.
  if (asked === undefined || longest === null || asked <= longest) return
  const why = `is ${asked}; the model "${context.model}" takes ${longest} T5 tokens at most`
  report(context, 'maxSequenceLength', 'E_SEQUENCE_LENGTH', why, `Use ${longest} or less.`)
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
  report(context, 'previews', resolved.code, resolved.why, resolved.help)
  return null
}

/** A fault of one setting, at the place that set it; where none did, at the variant. */
function report(context: VariantContext, name: SettingName, code: string, why: string, help?: string): void {
  const { variant, sheet, faults } = context
  const origin: SheetPath | undefined = variant.origins[name]
  const subject = origin === undefined ? `${name} of ${formatPath(variant.path)}` : formatPath(origin)
  faults.add(code, sheet.locate(origin ?? variant.path, origin ? 'value' : 'key'), `${subject} ${why}.`, help)
}
