/** A cue's `matrix`: axes, and the product of their values. */
import { didYouMean } from '../did-you-mean.ts'
import { shorten } from '../printable.ts'
import { explainIssues } from './explain-issues.ts'
import { formatPath, quoteName, type SheetPath } from './faults.ts'
import { slugOf } from './ids.ts'
import type { LayerContext } from './layer-context.ts'
import { type Layer, readLayer } from './layers.ts'
import { type CueInput, layerSchema } from './schema.ts'
import { isSettingKey, SETTING_KEYS } from './setting-types.ts'

export interface AxisValue {
  /** What it adds to the variant's id. */
  readonly slug: string
  /** What a placeholder of its axis is filled with. */
  readonly text: string
  /** What it sets; undefined for an axis that only feeds the template. */
  readonly layer: Layer | undefined
}

export interface Axis {
  readonly name: string
  readonly values: readonly AxisValue[]
}

/** Cells of a matrix: the product of the numbers of values. 0 without axes. */
export function countCells(matrix: CueInput['matrix']): number {
  const lengths = Object.values(matrix ?? {}).map((values) => values.length)
  return lengths.length === 0 ? 0 : lengths.reduce((product, length) => product * length, 1)
}

/** Axes in the order of the file; values that cannot be used are faults and left out. */
export function readAxes(cue: string, input: CueInput, context: LayerContext): readonly Axis[] {
  const matrix = input.matrix ?? {}
  const base: SheetPath = ['cues', cue, 'matrix']
  return context.doc.keys(base).flatMap((name) => {
    const values = Object.hasOwn(matrix, name) ? matrix[name] : undefined
    return values === undefined ? [] : [{ name, values: readValues(values, [...base, name], context) }]
  })
}

function readValues(
  values: NonNullable<CueInput['matrix']>[string],
  path: SheetPath,
  context: LayerContext,
): readonly AxisValue[] {
  const { doc, faults } = context
  const seen = new Map<string, number>()
  return values.flatMap((value, index) => {
    const at = [...path, index]
    const name = path.at(-1)
    const slug = slugOf(value)
    const layer =
      typeof name === 'string' && isSettingKey(name) ? readSetting(name, value, at, context) : undefined
    if (layer === null) return []
    if (layer === undefined) checkAsWritten(value, at, context)
    const earlier = seen.get(slug)
    if (slug === '') {
      const help = 'An id needs a letter or a digit: give the value one, or list variants instead.'
      faults.add('E_BAD_ID', doc.locate(at), `${formatPath(at)} leaves nothing for the variant's id.`, help)
      return []
    }
    if (earlier !== undefined) {
      const message = `${formatPath(at)} and ${formatPath([...path, earlier])} both give the same id part${isFilled(doc, at) ? '' : ` ${quoteName(slug)}`}.`
      faults.add(
        'E_DUPLICATE_ID',
        doc.locate(at),
        message,
        'Let them differ in letters or digits, or list variants.',
      )
      return []
    }
    seen.set(slug, index)
    return [{ slug, text: String(value), layer }]
  })
}

/** Whether a value has a variable in it. */
function isFilled(doc: LayerContext['doc'], at: SheetPath): boolean {
  return doc.written(at)?.includes('${') === true
}

/** A bare number that feeds a template must read as it is written. */
function checkAsWritten(
  value: string | number | boolean,
  at: SheetPath,
  { doc, faults }: LayerContext,
): void {
  if (typeof value !== 'number') return
  const written = doc.written(at)
  if (written === undefined || written === String(value)) return
  const message = `${formatPath(at)} is the number ${shorten(written, 80)}, which would read ${value}.`
  faults.add('E_ID_NOT_TEXT', doc.locate(at), message, `Quote it: ${quoteName(written)}.`)
}

/** What one value of a setting's axis sets; null after a fault. */
function readSetting(
  key: string,
  value: string | number | boolean,
  at: SheetPath,
  context: LayerContext,
): Layer | null {
  const parsed = layerSchema.safeParse({ [key]: value })
  if (parsed.success) return readLayer(parsed.data, () => at, context)
  const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [...at] }))
  explainIssues(issues, context.doc, context.faults)
  return null
}

/** An axis that sets nothing and fills nothing is a slip. */
export function checkAxisUse(
  cue: string,
  axes: readonly Axis[],
  used: ReadonlySet<string>,
  context: LayerContext,
): void {
  // An axis that faults have emptied leaves no cell to use any.
  if (axes.some(({ values }) => values.length === 0)) return
  for (const { name } of axes) {
    if (isSettingKey(name) || used.has(name)) continue
    const path = ['cues', cue, 'matrix', name]
    const message = `${formatPath(path)} is no setting, and no prompt_template of this cue has {${shorten(name, 80)}}.`
    context.faults.add('E_UNUSED_AXIS', context.doc.locate(path, 'key'), message, () => {
      const hint = didYouMean(name, SETTING_KEYS)
      return `Put {${shorten(name, 80)}} into prompt_template, or name a setting. ${hint}`
    })
  }
}

/** Every combination, the last axis fastest. */
export function* cellsOf(axes: readonly Axis[]): Generator<readonly { axis: string; value: AxisValue }[]> {
  if (axes.length === 0 || axes.some((axis) => axis.values.length === 0)) return
  const at = axes.map(() => 0)
  for (;;) {
    yield axes.map((axis, i) => ({ axis: axis.name, value: axis.values[at[i]!]! }))
    let i = axes.length - 1
    while (i >= 0 && ++at[i]! === axes[i]!.values.length) at[i--] = 0
    if (i < 0) return
  }
}
