/** Settings against the facts of the model that they are for. */
import { SETTING_ROWS } from '../cue-sheet/setting-types.ts'
import { MAX_PIXELS } from '../cue-sheet/settings.ts'
import { familyOf } from '../families/index.ts'
import { findShapeFaults } from './fixed-shapes.ts'
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
  // One setting in defaults may serve models with and without T5.
  if (asked === undefined || longest === null || asked <= longest) return
  const why = `is ${asked}; the model "${context.model}" takes ${longest} T5 tokens at most`
  report(context, 'maxSequenceLength', { code: 'E_SEQUENCE_LENGTH', why, help: `Use ${longest} or less.` })
}

export function checkSyntax(context: VariantContext): void {
  const { settings } = context.variant
  const { takes, title } = familyOf(context.facts.family)
  if (settings.promptSyntax !== 'a1111' || takes.some((name) => name === 'promptSyntax')) return
  const why = `is a1111; the model "${context.model}" (${title}) reads prompts as they are`
  report(context, 'promptSyntax', { code: 'E_PROMPT_SYNTAX', why, help: 'Leave prompt_syntax out.' })
}

/** The unit against the sizes that the model's export has built in. */
export function checkShapes(unit: Unit, context: VariantContext): void {
  const { facts, model } = context
  if (facts.fixed === undefined) return
  const { width, height, guidanceScale } = unit
  const request = {
    ...{ width, height, guidanceScale },
    imageTokens: (width * height) / facts.sizeMultiple ** 2,
    isGuided: isGuided(unit, context),
    sequenceLength: unit.maxSequenceLength,
  }
  for (const { name, why, help } of findShapeFaults(facts.fixed, request, model)) {
    report(context, name, { code: 'E_FIXED_SHAPE', why, help })
  }
}

/** Whether guidance evaluates the model a second time, with the negative prompt. */
function isGuided({ guidanceScale }: Unit, { facts }: VariantContext): boolean {
  return guidanceOf(facts) === 'second-evaluation' && guidanceScale > 1
}

function guidanceOf({ guidance, family }: VariantContext['facts']): string {
  return guidance ?? (familyOf(family).guidance === 'distilled' ? 'input' : 'second-evaluation')
}

// Listed once: a sheet may have 100,000 units.
const SOME_ROWS = SETTING_ROWS.filter(({ onlySome }) => onlySome)
const NEGATIVES = ['negativePrompt', 'negativePrompt2'] as const

/** Notes which settings the unit reads, and why it does not read the others. */
export function noteUse(unit: Unit, context: VariantContext): void {
  const { variant, facts, use, model } = context
  const { takes, title } = familyOf(facts.family)
  const { origins, settings } = variant
  for (const { name } of SOME_ROWS) {
    const origin = origins[name]
    if (origin === undefined) continue
    const isNegative = NEGATIVES.some((negative) => negative === name)
    // What defaults and programs set may wait for other models; a negative prompt is meant for all.
    if (origin[0] !== 'cues' && !isNegative) continue
    const isTaken = takes.some((taken) => taken === name)
    const unread = isTaken ? (isNegative ? whyNoNegative(unit, context) : null) : `${title} does not read it`
    // Nothing is lost with an empty text.
    if (unread !== null && isTaken && settings[name] === '') continue
    use.note(origin, variant, unread)
  }
  const { guidanceScale: scaleOrigin, batch: batchOrigin } = origins
  if (scaleOrigin !== undefined) {
    const none = `the model "${model}" has no guidance (${title} without the input for it)`
    use.note(scaleOrigin, variant, guidanceOf(facts) === 'none' ? none : null)
  }
  if (batchOrigin !== undefined && settings.batch !== 1) {
    const rows = facts.fixed?.rows ?? null
    const one = `the model "${model}" was exported for one number of pictures a call`
    use.note(batchOrigin, variant, rows === null ? null : one)
  }
}

function whyNoNegative(unit: Unit, context: VariantContext): string | null {
  if (isGuided(unit, context)) return null
  if (unit.exactCopyMode) return 'exact_copy_mode draws without guidance'
  if (guidanceOf(context.facts) !== 'second-evaluation') {
    return `the model "${context.model}" takes its guidance as an input`
  }
  return `at guidance_scale ${unit.guidanceScale} it is never evaluated; above 1 it is`
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
