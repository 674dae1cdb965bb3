/** Programs: each with the levels below it merged, along its chain of `extends`. */
import { didYouMean } from '../did-you-mean.ts'
import { shorten } from '../printable.ts'
import type { SheetDocument } from './convert.ts'
import { type Faults, formatPath, quoteName, quoteWritten } from './faults.ts'
import { type Layer, type Merged, mergeLayer } from './layers.ts'

export interface ProgramLayer {
  readonly extends: string | undefined
  readonly layer: Layer
}

/** Merges defaults < the program's ancestors < the program. Unknown parents and cycles are faults. */
export function mergePrograms(
  defaults: Merged,
  programs: ReadonlyMap<string, ProgramLayer>,
  doc: SheetDocument,
  faults: Faults,
): ReadonlyMap<string, Merged> {
  const merged = new Map<string, Merged>()
  const names = [...programs.keys()]
  const order = new Map(names.map((name, at) => [name, at]))
  for (const id of names) {
    // Each program is merged once, on its parent's settings: a chain of ten thousand is as long as it is.
    const chain = chainOf(id, { programs, merged, names, order, doc, faults })
    let base = defaults
    for (const { id: each, layer, parent } of chain.toReversed()) {
      base = mergeLayer((parent === undefined ? undefined : merged.get(parent)) ?? base, layer)
      merged.set(each, base)
    }
  }
  return merged
}

interface Chain {
  readonly programs: ReadonlyMap<string, ProgramLayer>
  readonly merged: ReadonlyMap<string, Merged>
  readonly names: readonly string[]
  /** Place of each in the file. */
  readonly order: ReadonlyMap<string, number>
  readonly doc: SheetDocument
  readonly faults: Faults
}

interface Link {
  readonly id: string
  readonly layer: Layer
  readonly parent: string | undefined
}

/** The program and its ancestors that are not merged yet, nearest first. */
function chainOf(id: string, { programs, merged, names, order, doc, faults }: Chain): readonly Link[] {
  const chain = new Map<string, Link>()
  let child = id
  let next: string | undefined = id
  while (next !== undefined && !merged.has(next)) {
    const program = programs.get(next)
    if (program === undefined) {
      const path = ['programs', child, 'extends']
      const wanted = next
      const shown = doc.written(path) ?? quoteName(wanted)
      const message = `${formatPath(path)} is ${quoteWritten(shown)}, which is no program of this sheet.`
      faults.add('E_UNKNOWN_PROGRAM', doc.locate(path), message, () => didYouMean(wanted, names))
      break
    }
    if (chain.has(next)) {
      const members = [...chain.keys()]
      reportCycle(members.slice(members.indexOf(next)), order, doc, faults)
      break
    }
    chain.set(next, { id: next, layer: program.layer, parent: program.extends })
    child = next
    next = program.extends
  }
  return [...chain.values()]
}

/** Programs of a circle that its message names. */
const MAX_RING = 8

function reportCycle(
  members: readonly string[],
  order: ReadonlyMap<string, number>,
  doc: SheetDocument,
  faults: Faults,
): void {
  const placeOf = (id: string) => order.get(id) ?? 0
  const first = members.reduce((best, id) => (placeOf(id) < placeOf(best) ? id : best))
  const start = members.indexOf(first)
  const turned = [...members.slice(start), ...members.slice(0, start)]
  const shown = turned.slice(0, MAX_RING).map((name) => shorten(name, 80))
  const left = members.length - shown.length
  const ring = [...shown, ...(left > 0 ? [`${left} more`] : []), shown[0]]
  const message = `Programs extend each other in a circle: ${ring.join(' → ')}.`
  const at = doc.locate(['programs', first, 'extends'])
  faults.add('E_EXTENDS_CYCLE', at, message, 'Take one "extends" away.')
}
