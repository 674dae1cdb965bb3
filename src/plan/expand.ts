/** A checked sheet and the facts of its models → units with every setting resolved. Pure. */
import { Faults, formatPath, type SheetPath, type SheetWarning } from '../cue-sheet/faults.ts'
import { MAX_PIXELS } from '../cue-sheet/settings.ts'
import type { CueSheet, SettingName, SheetCue, SheetVariant } from '../cue-sheet/sheet.ts'
import { countExecutedSteps } from './executed-steps.ts'
import type { ModelFacts } from './model-facts.ts'
import { resolvePreviews } from './previews.ts'
import type { InitImage, Unit } from './unit.ts'

/** Strength of image-to-image where the sheet names none. */
export const DEFAULT_DENOISE_STRENGTH = 0.6
/** `exact_copy_mode` never denoises more than this. */
export const EXACT_COPY_STRENGTH = 0.05

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
  const units = sheet.cues.flatMap((cue) =>
    cue.variants.flatMap((variant) => {
      const { model } = variant.settings
      const modelFacts = model !== undefined && Object.hasOwn(facts, model) ? facts[model] : undefined
      if (model === undefined || modelFacts === undefined) {
        throw new Error(`no facts were given for the model "${model}" of ${cue.id}/${variant.id}`)
      }
      return [expandVariant({ sheet, cue, variant, facts: modelFacts, model, faults })]
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
    model,
    prompt: settings.prompt ?? '',
    prompt2: settings.prompt2,
    promptSyntax: settings.promptSyntax ?? 'plain',
    maxSequenceLength: settings.maxSequenceLength,
    seed: settings.seed ?? 0n,
    rng: settings.rng ?? 'torch-cpu',
    width,
    height,
    scheduler: settings.scheduler ?? { name: undefined, config: {} },
    previews: readPreviews(context),
    thumbnail: settings.thumbnail ?? false,
    embedMetadata: settings.embedMetadata ?? false,
    batch: settings.batch ?? 1,
    ...trajectory,
  }
}

type Trajectory = Pick<
  Unit,
  | 'image'
  | 'denoiseStrength'
  | 'exactCopyMode'
  | 'steps'
  | 'executedSteps'
  | 'guidanceScale'
  | 'negativePrompt'
  | 'negativePrompt2'
>

/** What image-to-image and exact_copy_mode decide together. */
function readTrajectory(context: VariantContext): Trajectory {
  const { variant, facts } = context
  const { settings } = variant
  const image: InitImage | undefined =
    settings.image === undefined ? undefined : { source: settings.image, fit: settings.fit }
  const exactCopyMode = image !== undefined && settings.exactCopyMode === true
  const asked = image === undefined ? undefined : (settings.denoiseStrength ?? DEFAULT_DENOISE_STRENGTH)
  const denoiseStrength =
    asked === undefined ? undefined : exactCopyMode ? Math.min(asked, EXACT_COPY_STRENGTH) : asked
  const steps = exactCopyMode
    ? exactCopySteps(denoiseStrength ?? 0)
    : (settings.steps ?? facts.defaults.steps)
  const executedSteps = countExecutedSteps(facts.family, steps, denoiseStrength)
  checkImageToImage(image, steps, executedSteps, denoiseStrength, context)
  return {
    image,
    denoiseStrength,
    exactCopyMode,
    steps,
    executedSteps,
    guidanceScale: exactCopyMode ? 1 : (settings.guidanceScale ?? facts.defaults.guidanceScale),
    negativePrompt: exactCopyMode ? undefined : settings.negativePrompt,
    negativePrompt2: exactCopyMode ? undefined : settings.negativePrompt2,
  }
}

/** min(max(6, int(strength × 100)), 10). */
function exactCopySteps(strength: number): number {
  return Math.min(Math.max(6, Math.trunc(strength * 100)), 10)
}

function checkImageToImage(
  image: InitImage | undefined,
  steps: number,
  executedSteps: number,
  strength: number | undefined,
  context: VariantContext,
): void {
  if (image !== undefined && !context.facts.hasVaeEncoder) {
    const why = `needs image-to-image, but the model "${context.model}" has no vae_encoder`
    report(
      context,
      'image',
      'E_NO_VAE_ENCODER',
      why,
      'Export the model with its VAE encoder, or take the image away.',
    )
  } else if (executedSteps < 1) {
    const why = `leaves no step to execute: ${steps} steps at denoise_strength ${strength}`
    const name = context.variant.settings.denoiseStrength === undefined ? 'image' : 'denoiseStrength'
    report(
      context,
      name,
      'E_NO_STEPS',
      why,
      `Raise denoise_strength to ${1 / steps} or more, or ask for more steps.`,
    )
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
  if ('previews' in resolved) return resolved.previews
  report(context, 'previews', resolved.code, resolved.why, resolved.help)
  return null
}

/** A fault of one setting, at the place that set it; where none did, at the variant. */
function report(context: VariantContext, name: SettingName, code: string, why: string, help: string): void {
  const { variant, sheet, faults } = context
  const origin: SheetPath | undefined = variant.origins[name]
  const subject = origin === undefined ? `${name} of ${formatPath(variant.path)}` : formatPath(origin)
  faults.add(code, sheet.locate(origin ?? variant.path, origin ? 'value' : 'key'), `${subject} ${why}.`, help)
}
