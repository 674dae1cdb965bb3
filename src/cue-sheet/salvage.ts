/** The sound rest of a faulty sheet, so that it is judged in the same pass. */
import type { SheetPath } from './faults.ts'
import { type SheetInput, sheetSchema } from './schema.ts'

/** Stands for every cue in the set of those that lost something. */
export const EVERY_CUE = Symbol('all cues')

const MAX_ROUNDS = 32

export interface Salvaged {
  readonly input: SheetInput | undefined
  /** Cues that lost something. */
  readonly tainted: ReadonlySet<string | symbol>
}

/** What is to be taken out below a value; `true`: the value itself. */
type Doomed = Map<string | number, Doomed> | true

/** Takes faulty parts out until the rest has the right shape. Where a part is missing, what misses it goes. */
export function salvage(data: object): Salvaged {
  const tainted = new Set<string | symbol>()
  let rest: unknown = data
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const parsed = sheetSchema.safeParse(rest)
    if (parsed.success) return { input: parsed.data, tainted }
    const doomed: Doomed = new Map()
    for (const issue of parsed.error.issues) {
      const at: SheetPath = issue.path.filter((part) => typeof part !== 'symbol')
      const paths = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...at, key]) : [at]
      for (const path of paths) {
        if (!markDoomed(doomed, rest, path)) return { input: undefined, tainted }
        if (path[0] === 'cues' && typeof path[1] === 'string') tainted.add(path[1])
        else if (path[0] === 'defaults' || path[0] === 'programs') tainted.add(EVERY_CUE)
      }
    }
    // All of a round at once: a copy for each of ten thousand faults would take a day.
    rest = without(rest, doomed)
  }
  return { input: undefined, tainted }
}

/** Marks the value at `path`, or what lacks it. @returns false when that is everything */
function markDoomed(doomed: Map<string | number, Doomed>, data: unknown, path: SheetPath): boolean {
  let marks = doomed
  let value = data
  for (const [depth, part] of path.entries()) {
    if (typeof value !== 'object' || value === null) return depth > 0
    const inner: unknown = Object.hasOwn(value, part) ? Reflect.get(value, part) : undefined
    const next = path[depth + 1]
    const isLast = next === undefined || (depth === path.length - 2 && !has(inner, next))
    if (inner === undefined) return depth > 0
    const mark = marks.get(part)
    if (mark === true) return true
    if (isLast) {
      marks.set(part, true)
      return true
    }
    const below: Map<string | number, Doomed> = mark ?? new Map()
    marks.set(part, below)
    marks = below
    value = inner
  }
  return false
}

function has(value: unknown, part: string | number): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.hasOwn(value, part) &&
    Reflect.get(value, part) !== undefined
  )
}

/** A copy of `data` without what is marked. */
function without(data: unknown, marks: Map<string | number, Doomed>): unknown {
  if (typeof data !== 'object' || data === null) return data
  if (Array.isArray(data)) {
    return data.flatMap((item: unknown, index) => keep(marks.get(index), item))
  }
  return Object.fromEntries(
    Object.entries(data).flatMap(([key, value]) =>
      keep(marks.get(key), value).map((kept): [string, unknown] => [key, kept]),
    ),
  )
}

function keep(mark: Doomed | undefined, value: unknown): unknown[] {
  if (mark === true) return []
  return [mark === undefined ? value : without(value, mark)]
}
