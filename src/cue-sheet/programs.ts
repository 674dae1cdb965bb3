/** Programs: each with the levels below it merged, along its chain of `extends`. */

import { didYouMean } from '../did-you-mean.ts'
import type { SheetDocument } from './convert.ts'
import { type Faults, formatPath } from './faults.ts'
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
  for (const id of programs.keys()) {
    const chain = chainOf(id, programs, doc, faults)
    merged.set(
      id,
      chain.reduceRight((base, { layer }) => mergeLayer(base, layer), defaults),
    )
  }
  return merged
}

/** The program and its ancestors, nearest first. */
function chainOf(
  id: string,
  programs: ReadonlyMap<string, ProgramLayer>,
  doc: SheetDocument,
  faults: Faults,
): readonly ProgramLayer[] {
  const chain: ProgramLayer[] = []
  const names: string[] = []
  let next: string | undefined = id
  while (next !== undefined) {
    const program = programs.get(next)
    if (program === undefined) {
      const path = ['programs', names.at(-1) ?? id, 'extends']
      const message = `${formatPath(path)} is "${next}", which is no program of this sheet.`
      faults.add('E_UNKNOWN_PROGRAM', doc.locate(path), message, didYouMean(next, [...programs.keys()]))
      break
    }
    if (names.includes(next)) {
      const cycle = names.slice(names.indexOf(next))
      // Every member sees the cycle; the first in the file reports it.
      const first = [...programs.keys()].find((each) => cycle.includes(each)) ?? next
      const ring = [...cycle.slice(cycle.indexOf(first)), ...cycle.slice(0, cycle.indexOf(first)), first]
      const message = `Programs extend each other in a circle: ${ring.join(' → ')}.`
      faults.add(
        'E_EXTENDS_CYCLE',
        doc.locate(['programs', first, 'extends']),
        message,
        'Take one "extends" away.',
      )
      break
    }
    names.push(next)
    chain.push(program)
    next = program.extends
  }
  return chain
}
