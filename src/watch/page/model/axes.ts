/** The keys by which variants differ, and their places in a grid of up to four of them. */
import { keyOf, type Variant } from '../data/show.ts'
import { compareNatural } from './format.ts'

export interface GridAxis {
  readonly name: string
  /** In the order of the sheet; numbers by size. */
  readonly values: readonly string[]
}

export const AXIS_PLACES = ['cols', 'rows', 'sec', 'sec2'] as const
export type AxisPlace = (typeof AXIS_PLACES)[number]

/** Which axis stands where; null: none. */
export type Placement = Readonly<Record<AxisPlace, string | null>>

export interface Cell {
  readonly column: string | null
  /** More than one where the axes chosen do not tell them apart. */
  readonly variants: readonly Variant[]
}

export interface GridRow {
  readonly value: string | null
  readonly cells: readonly Cell[]
}

export interface GridSection {
  readonly key: string
  /** Its values of the section axes, in order; empty without any. */
  readonly title: readonly { readonly axis: string; readonly value: string }[]
  readonly rows: readonly GridRow[]
}

/** The value of a variant on an axis; null where it has none. */
function valueOnAxis(variant: Variant, axis: string): string | null {
  const own = variant.axes !== null && Object.hasOwn(variant.axes, axis) ? variant.axes[axis] : undefined
  if (own !== undefined) return own
  const read = Object.hasOwn(BUILT_IN, axis) ? BUILT_IN[axis] : undefined
  if (read !== undefined) return read(variant)
  const part = /^part (\d+)$/.exec(axis)
  return part === null ? null : (variant.variant.split('-')[Number(part[1]) - 1] ?? null)
}

const text = (value: string | number | null) => (value === null ? null : String(value))

/** What every manifest tells, under the names of the sheet. */
const BUILT_IN: Readonly<Record<string, (variant: Variant) => string | null>> = {
  cue: ({ cue }) => cue,
  program: ({ program }) => program,
  seed: ({ facts }) => facts.seed,
  steps: ({ facts }) => text(facts.steps),
  guidance_scale: ({ facts }) => text(facts.guidanceScale),
  denoise_strength: ({ facts }) => text(facts.denoiseStrength),
  scheduler: ({ facts }) => facts.scheduler,
  model: ({ facts }) => facts.model,
  size: ({ facts }) =>
    facts.width === null || facts.height === null ? null : `${facts.width} × ${facts.height}`,
  variant: ({ variant }) => variant,
}

/**
 * The axes that tell these variants apart: the keys of their matrix, then what else differs. Where no matrix is
 * told, the parts of ids that look like one's (`sunlit-1`) are offered.
 */
export function findAxes(variants: readonly Variant[]): readonly GridAxis[] {
  const names = new Set<string>()
  for (const { axes } of variants) for (const name of Object.keys(axes ?? {})) names.add(name)
  const isTold = names.size > 0
  if (!isTold) for (let part = 1; part <= sharedParts(variants); part++) names.add(`part ${part}`)
  for (const name of Object.keys(BUILT_IN)) names.add(name)
  return [...names].flatMap((name) => {
    const values = valuesOf(variants, name)
    // Numbered parts that are the seeds say nothing more than the seeds do.
    const isSeed =
      name.startsWith('part ') && variants.every((each) => valueOnAxis(each, name) === each.facts.seed)
    return values.length > 1 && !isSeed ? [{ name, values }] : []
  })
}

/** Number of parts between dashes that every id has; 0 when they differ in it or have but one. */
function sharedParts(variants: readonly Variant[]): number {
  const counts = new Set(variants.map(({ variant }) => variant.split('-').length))
  const [count] = counts
  return counts.size === 1 && count !== undefined && count > 1 && count <= 4 ? count : 0
}

function valuesOf(variants: readonly Variant[], axis: string): readonly string[] {
  const values = new Set<string>()
  for (const variant of variants) {
    const value = valueOnAxis(variant, axis)
    if (value !== null) values.add(value)
  }
  const list = [...values]
  return list.every((value) => value !== '' && Number.isFinite(Number(value)))
    ? list.sort(compareNatural)
    : list
}

/** A first placement: the matrix's own keys as far as they go; seeds or variants across. */
export function defaultPlacement(axes: readonly GridAxis[]): Placement {
  const inner = axes.filter(({ name }) => name !== 'variant' && name !== 'cue')
  const across =
    inner.find(({ name }) => name === 'seed') ?? inner.at(0) ?? axes.find(({ name }) => name === 'variant')
  const down = inner.find((axis) => axis !== across) ?? axes.find(({ name }) => name === 'cue')
  return {
    cols: across?.name ?? null,
    rows: down === across ? null : (down?.name ?? null),
    sec: null,
    sec2: null,
  }
}

/** @param hidden `axis:value` of what is not shown */
export function layOut(
  variants: readonly Variant[],
  axes: readonly GridAxis[],
  placement: Placement,
  hidden: ReadonlySet<string>,
): { readonly columns: readonly (string | null)[]; readonly sections: readonly GridSection[] } {
  const shown = (place: AxisPlace): readonly (string | null)[] => {
    const name = placement[place]
    const axis = axes.find((each) => each.name === name)
    if (name === null || axis === undefined) return [null]
    return axis.values.filter((value) => !hidden.has(`${name}:${value}`))
  }
  const at = (variant: Variant, place: AxisPlace) => {
    const name = placement[place]
    return name === null ? null : valueOnAxis(variant, name)
  }
  const keyAt = (values: readonly (string | null)[]) => JSON.stringify(values)
  const cells = new Map<string, Variant[]>()
  for (const variant of variants) {
    const key = keyAt(AXIS_PLACES.map((place) => at(variant, place)))
    const cell = cells.get(key)
    if (cell) cell.push(variant)
    else cells.set(key, [variant])
  }
  const columns = shown('cols')
  const sections = shown('sec').flatMap((sec) =>
    shown('sec2').map((sec2) => ({
      key: keyAt([sec, sec2]),
      title: titleOf(placement, sec, sec2),
      rows: shown('rows')
        .map((row) => ({
          value: row,
          cells: columns.map((column) => ({
            column,
            variants: cells.get(keyAt([column, row, sec, sec2])) ?? [],
          })),
        }))
        .filter((row) => row.cells.some((cell) => cell.variants.length > 0)),
    })),
  )
  return { columns, sections: sections.filter(({ rows }) => rows.length > 0) }
}

function titleOf(placement: Placement, sec: string | null, sec2: string | null): GridSection['title'] {
  return [
    ...(placement.sec !== null && sec !== null ? [{ axis: placement.sec, value: sec }] : []),
    ...(placement.sec2 !== null && sec2 !== null ? [{ axis: placement.sec2, value: sec2 }] : []),
  ]
}

/** `seed 3`, `at dusk`: the axis's name goes before values that would say nothing alone. */
export function labelOf(axis: string | null, value: string | null): string {
  if (value === null || axis === null) return ''
  return /^[\d.]+$/.test(value) && !axis.startsWith('part ') ? `${axis.replaceAll('_', ' ')} ${value}` : value
}

export function cellKey(cell: Cell): string {
  return cell.variants.map(keyOf).join(' ')
}
