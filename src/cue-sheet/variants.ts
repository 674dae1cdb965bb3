/** A cue → its variants, each with every level merged and its prompt through the template. */

import { listNames } from '../did-you-mean.ts'
import { shorten } from '../printable.ts'
import { formatPath, type SheetPath } from './faults.ts'
import type { LayerContext } from './layer-context.ts'
import { type Merged, mergeLayer, readLayer } from './layers.ts'
import { type Axis, cellsOf, checkAxisUse, readAxes } from './matrix.ts'
import { checkColumns, rowVariants } from './rows.ts'
import type { CueInput } from './schema.ts'
import { readSeed } from './setting-values.ts'
import { MAX_PROMPT_CHARS } from './settings.ts'
import type { SheetVariant } from './sheet.ts'
import { filledLength, fillTemplate, parseTemplate, placeholdersOf, type TemplatePart } from './template.ts'

interface RawVariant extends Merged {
  readonly id: string
  readonly path: SheetPath
  /** Text of each matrix axis. */
  readonly axes: ReadonlyMap<string, string>
}

const NO_AXES: ReadonlyMap<string, string> = new Map()

/**
 * Variants in order: those of `variants`, then those of `seeds` or `matrix`.
 * @param program the program's settings, merged over the defaults
 */
export function expandVariants(
  id: string,
  input: CueInput,
  program: Merged,
  context: LayerContext,
): SheetVariant[] {
  const cuePath: SheetPath = ['cues', id]
  const base = mergeLayer(
    program,
    readLayer(input, (key) => [...cuePath, key], context),
  )
  const axes = readAxes(id, input, context)
  const raw = [
    ...listVariants(input, base, cuePath, context),
    ...seedVariants(input, base, cuePath, context),
    ...matrixVariants(axes, base, cuePath),
    ...rowVariants(id, base, context),
  ]
  if (
    raw.length === 0 &&
    !context.isTainted(id) &&
    input.rows === undefined &&
    // Seeds that are none have been told.
    (input.seeds === undefined || input.seeds.length === 0) &&
    (input.matrix === undefined || Object.keys(input.matrix).length === 0)
  ) {
    const help = 'Add "variants:", "seeds: [1, 2, 3]" or "matrix:".'
    context.faults.add(
      'E_NO_VARIANTS',
      context.doc.locate(cuePath, 'key'),
      `${formatPath(cuePath)} has no variants.`,
      help,
    )
  }
  const makers = (['rows', 'seeds', 'matrix'] as const).filter((key) => input[key] !== undefined)
  if (makers.length > 1) {
    const at = context.doc.locate([...cuePath, makers[0]!], 'key')
    const message = `${formatPath(cuePath)} has both ${makers.join(' and ')}.`
    const help =
      makers[0] === 'rows'
        ? 'Make seed a column of the rows.'
        : 'Make seed an axis of the matrix: { seed: [1, 2] }.'
    context.faults.add('E_SEEDS_AND_MATRIX', at, message, help)
  }
  const used = new Set<string>()
  const readTemplate = createTemplateReader()
  const variants = raw.map((variant) => applyTemplate(variant, cuePath, { readTemplate, used }, context))
  if (!context.isTainted(id)) {
    checkAxisUse(id, axes, used, context)
    checkColumns(id, used, context)
  }
  return variants
}

function listVariants(
  input: CueInput,
  base: Merged,
  cuePath: SheetPath,
  context: LayerContext,
): RawVariant[] {
  const variants = input.variants ?? {}
  const listPath = [...cuePath, 'variants']
  return context.doc.keys(listPath).flatMap((id) => {
    if (!Object.hasOwn(variants, id)) return []
    const path = [...listPath, id]
    const layer = readLayer(variants[id] ?? {}, (key) => [...path, key], context)
    return [{ id, path, axes: NO_AXES, ...mergeLayer(base, layer) }]
  })
}

function seedVariants(
  input: CueInput,
  base: Merged,
  cuePath: SheetPath,
  context: LayerContext,
): RawVariant[] {
  return (input.seeds ?? []).flatMap((value, index) => {
    const path = [...cuePath, 'seeds', index]
    const seed = readSeed(value, { path, context })
    if (seed === undefined) return []
    const settings = { ...base.settings, seed }
    return [{ id: `seed-${seed}`, path, axes: NO_AXES, settings, origins: { ...base.origins, seed: path } }]
  })
}

function matrixVariants(axes: readonly Axis[], base: Merged, cuePath: SheetPath): RawVariant[] {
  const path = [...cuePath, 'matrix']
  return [...cellsOf(axes)].map((cell) => {
    const merged = cell.reduce(
      (below, { value }) => (value.layer ? mergeLayer(below, value.layer) : below),
      base,
    )
    return {
      id: cell.map(({ value }) => value.slug).join('-'),
      path,
      axes: new Map(cell.map(({ axis, value }) => [axis, value.text])),
      ...merged,
    }
  })
}

interface ParsedTemplate {
  /** undefined: a brace has no partner. */
  readonly parts: readonly TemplatePart[] | undefined
  readonly placeholders: readonly string[]
  /** Places of the setting whose placeholders have been judged, for cells of a matrix and for listed variants. */
  readonly judged: { readonly cells: Set<SheetPath | undefined>; readonly listed: Set<SheetPath | undefined> }
}

/** Without a template the prompt stands for itself. */
const PROMPT_ALONE = { parts: undefined, placeholders: ['prompt'], judged: undefined } as const

/** Of one template: each is filled for every variant. */
const MAX_PLACEHOLDERS = 200

/** Parses each template of a cue once. */
function createTemplateReader(): (template: string) => ParsedTemplate {
  const read = new Map<string, ParsedTemplate>()
  return (template) => {
    const known = read.get(template)
    if (known) return known
    const parts = parseTemplate(template)
    const placeholders = parts ? placeholdersOf(parts) : PROMPT_ALONE.placeholders
    const judged = { cells: new Set<SheetPath | undefined>(), listed: new Set<SheetPath | undefined>() }
    const parsed = { parts, placeholders, judged }
    read.set(template, parsed)
    return parsed
  }
}

interface TemplateUse {
  readonly readTemplate: (template: string) => ParsedTemplate
  /** Collects the axes that some template fills in. */
  readonly used: Set<string>
}

function applyTemplate(
  raw: RawVariant,
  cuePath: SheetPath,
  { readTemplate, used }: TemplateUse,
  context: LayerContext,
): SheetVariant {
  const { id, path, settings, origins } = raw
  const { promptTemplate: template, prompt } = settings
  const { doc, faults } = context
  const tainted = context.isTainted(String(cuePath[1]))
  const { parts, placeholders, judged } = template === undefined ? PROMPT_ALONE : readTemplate(template)
  if (template !== undefined && parts === undefined) {
    const at = origins.promptTemplate ?? path
    const message = `${formatPath(at)} has a brace without its partner.`
    faults.add('E_BAD_TEMPLATE', doc.locate(at), message, 'Write {{ and }} for literal braces.')
  }
  if (placeholders.length > MAX_PLACEHOLDERS) {
    const at = origins.promptTemplate ?? path
    const message = `${formatPath(at)} has more than ${MAX_PLACEHOLDERS} placeholders.`
    faults.add('E_BAD_TEMPLATE', doc.locate(at), message, 'Take some away.')
    return { id, path, settings, origins }
  }
  // All cells of a cue have the same axes: what one of them cannot fill, none can.
  const seen = raw.axes === NO_AXES ? judged?.listed : judged?.cells
  const isJudged = seen?.has(origins.promptTemplate) === true
  seen?.add(origins.promptTemplate)
  for (const name of isJudged ? [] : new Set(placeholders)) {
    if (raw.axes.has(name)) used.add(name)
    else if (name !== 'prompt' && !tainted) {
      const at = origins.promptTemplate ?? path
      const shown = shorten(name, 80)
      const message = `${formatPath(at)} has {${shown}}, which ${formatPath(cuePath)} does not fill.`
      faults.add('E_UNKNOWN_PLACEHOLDER', doc.locate(at), message, () => {
        const valid = listNames(['prompt', ...raw.axes.keys()].map((each) => `{${each}}`))
        return `It can fill ${valid}. Add a matrix axis "${shown}", or write {{${shown}}} for the text itself.`
      })
    }
  }
  if (prompt === undefined && placeholders.includes('prompt') && !tainted) {
    // Variants that a list or a matrix makes share their cue's fault.
    const at = path[2] === 'variants' ? path : cuePath
    const message = `${formatPath(at)} has no prompt.`
    faults.add(
      'E_NO_PROMPT',
      doc.locate(at, 'key'),
      message,
      'Set "prompt" here or at any level above. An empty one is "".',
    )
  }
  const axes = raw.axes.size === 0 ? undefined : Object.fromEntries(raw.axes)
  if (parts === undefined) return { id, path, axes, settings, origins }
  const textOf = (name: string) => (name === 'prompt' ? prompt : raw.axes.get(name)) ?? ''
  const length = filledLength(parts, textOf)
  if (length > MAX_PROMPT_CHARS) {
    const at = origins.promptTemplate ?? path
    const message = `${formatPath(at)} makes a prompt of ${length} characters.`
    faults.add('E_BAD_TEMPLATE', doc.locate(at), message, `A prompt may have ${MAX_PROMPT_CHARS} characters.`)
    return { id, path, axes, settings, origins }
  }
  context.budget.characters -= length
  if (context.budget.characters < 0) {
    const message = 'The templates of the sheet make too much text: their prompts would fill the memory.'
    const help = 'Shorten the templates or the prompts, or split the sheet.'
    faults.add('E_TOO_MANY_UNITS', doc.locate(['cues'], 'key'), message, help)
    return { id, path, axes, settings, origins }
  }
  const filled = fillTemplate(parts, textOf)
  return { id, path, axes, settings: { ...settings, prompt: filled }, origins }
}
