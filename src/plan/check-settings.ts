/** Settings against the facts of the model that they are for. */
import { SETTING_ROWS } from '../cue-sheet/setting-types.ts'
import { MAX_PIXELS } from '../cue-sheet/settings.ts'
import type { FamilyFacts } from '../families/family.ts'
import { noGuidance, trueCfgScale } from '../families/guidance.ts'
import { familyOf } from '../families/index.ts'
import { findShapeFaults } from './fixed-shapes.ts'
import { roleOfScale, rowsAsked } from './guided.ts'
import type { ModelFacts } from './model-facts.ts'
import { familyTakes } from './pictures.ts'
import { findTextRemains } from './prompt-syntax.ts'
import type { Unit } from './unit.ts'
import { nameOfSetting, report, type VariantContext } from './variant-context.ts'

export function checkSize(width: number, height: number, context: VariantContext): void {
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

export function checkSequenceLength(context: VariantContext): void {
  const { maxSequenceLength: asked } = context.variant.settings
  const { maxSequenceLength: longest } = context.facts
  // One setting in defaults may serve models that read it and models that do not.
  if (asked === undefined || longest === null || asked <= longest) return
  const why = `is ${asked}; the model "${context.model}" takes ${longest} tokens at most`
  report(context, 'maxSequenceLength', { code: 'E_SEQUENCE_LENGTH', why, help: `Use ${longest} or less.` })
}

export function checkSyntax(context: VariantContext): void {
  const { family } = context.facts
  if (context.variant.settings.promptSyntax !== 'a1111' || familyTakes(family, 'promptSyntax')) return
  const why = `is a1111; the model "${context.model}" (${familyOf(family).title}) reads prompts as they are`
  report(context, 'promptSyntax', { code: 'E_PROMPT_SYNTAX', why, help: 'Leave prompt_syntax out.' })
}

/** The unit against the sizes that the model's export has built in. */
export function checkShapes(unit: Unit, context: VariantContext): void {
  const { facts, model } = context
  if (facts.fixed === undefined) return
  const { width, height, guidanceScale } = unit
  const request = {
    ...{ width, height, guidanceScale },
    // Pictures that the model looks at add tokens of their own.
    imageTokens: unit.images === undefined ? tokensOf(unit, facts) : null,
    ...rowsAsked(facts, unit.guided),
    sequenceLength: unit.maxSequenceLength,
    numFrames: unit.numFrames,
  }
  for (const { name, why, help } of findShapeFaults(facts.fixed, request, model)) {
    report(context, name, { code: 'E_FIXED_SHAPE', why, help })
  }
}

/** A video has as many a latent frame. */
function tokensOf({ width, height, numFrames }: Unit, { sizeMultiple, video }: ModelFacts): number {
  const frames =
    numFrames === undefined || video === undefined ? 1 : (numFrames - 1) / video.framesPerLatent + 1
  return (frames * width * height) / sizeMultiple ** 2
}

// Listed once: a sheet may have 100,000 units. What is a fault where it is not read is told elsewhere.
const SOME_ROWS = SETTING_ROWS.filter(({ onlySome }) => onlySome === true)
const NEGATIVES = ['negativePrompt', 'negativePrompt2'] as const

/** Notes which settings the unit reads, and why it does not read the others. */
export function noteUse(unit: Unit, context: VariantContext): void {
  const { variant, facts, use } = context
  const { title } = familyOf(facts.family)
  const { origins, settings } = variant
  for (const { name } of SOME_ROWS) {
    const origin = origins[name]
    if (origin === undefined) continue
    const isNegative = NEGATIVES.some((negative) => negative === name)
    // What defaults and programs set may wait for other models; a negative prompt is meant for all.
    if (origin[0] !== 'cues' && !isNegative) continue
    const isTaken = familyTakes(facts.family, name)
    const unread = isTaken ? (isNegative ? whyNoNegative(unit, context) : null) : `${title} does not read it`
    const text = settings[name]
    // Nothing is lost with an empty text.
    if (unread !== null && isTaken && typeof text === 'string' && text.trim() === '') continue
    use.note(origin, variant, unread)
  }
  const { ignores = [] }: FamilyFacts = familyOf(facts.family)
  for (const { name } of ignores.length === 0 ? [] : SETTING_ROWS) {
    const origin = origins[name]
    const isOfCue = ignores.includes(name) && origin?.[0] === 'cues'
    if (isOfCue && name !== 'guidanceScale') use.note(origin, variant, `${title} does not read it`)
  }
  if (origins.guidanceScale !== undefined) use.note(origins.guidanceScale, variant, whyNoScale(context))
  if (origins.guidanceScale2 !== undefined && familyTakes(facts.family, 'guidanceScale2')) {
    const alone = `the model "${context.model}" has no second expert (transformer_2)`
    use.note(origins.guidanceScale2, variant, facts.video?.hasSecondExpert === true ? null : alone)
  }
  if (origins.batch !== undefined && settings.batch !== 1) {
    const rows = facts.fixed?.rows ?? null
    const one = `the model "${context.model}" was exported for one number of pictures a call`
    use.note(origins.batch, variant, rows === null ? null : one)
  }
}

function whyNoScale({ facts, model }: VariantContext): string | null {
  const { title, ignores = [] }: FamilyFacts = familyOf(facts.family)
  if (ignores.includes('guidanceScale')) return `${title} does not read it`
  if (roleOfScale(facts) !== 'none') return null
  return `the model "${model}" has no guidance to set: it was distilled into it`
}

function whyNoNegative(unit: Unit, { facts, model }: VariantContext): string | null {
  if (unit.guided) return null
  const family = familyOf(facts.family)
  if (unit.exactCopyMode) return 'exact_copy_mode draws without guidance'
  if (family.guidance === 'true-cfg') {
    if (trueCfgScale(family, unit) > 1) return `${family.title} reads it only beside a negative_prompt`
    return `${family.title} reads it above a true_cfg_scale of 1`
  }
  if (roleOfScale(facts) === 'input') return `the model "${model}" takes its guidance as an input`
  return `at guidance_scale ${unit.guidanceScale} it is never evaluated; above ${noGuidance(family)} it is`
}

const PROMPTS = ['prompt', 'negativePrompt', 'prompt2', 'negativePrompt2'] as const

/** Warns of what reads like syntax in a prompt, and is drawn as it stands. */
export function warnOfRemains({ promptSyntax }: Unit, context: VariantContext): void {
  const { variant, sheet, faults } = context
  const { origins, settings } = variant
  for (const name of PROMPTS) {
    const text = settings[name]
    if (text === undefined) continue
    const remains = findTextRemains(text, promptSyntax)
    if (remains === null) continue
    const origin = (name === 'prompt' ? origins.promptTemplate : undefined) ?? origins[name] ?? variant.path
    faults.warn('W_PROMPT_SYNTAX', sheet.locate(origin), `${nameOfSetting(origin, context)} has ${remains}.`)
  }
}
