/** Units that one model call can draw together. */
import { SETTING_ROWS } from '../cue-sheet/setting-types.ts'
import type { Unit } from './unit.ts'

/**
 * Splits units, in order, into batches: neighbours that share whatever the table of settings says they must, up to the
 * `batch` that each of them allows.
 * @param textLengthOf tokens of a unit's encoded prompt: prompts of different lengths (weights in chunks) cannot share a
 *   call; 0 where they can
 * @param mostOf what each allows
 */
export function groupIntoBatches<T extends { readonly unit: Unit }>(
  units: readonly T[],
  textLengthOf: (entry: T) => number,
  mostOf: (unit: Unit) => number = ({ batch }) => batch,
): T[][] {
  const batches: T[][] = []
  let current: T[] = []
  let shared = ''
  for (const entry of units) {
    const key = `${textLengthOf(entry)} ${entry.unit.guided} ${sharedBy(entry.unit)}`
    if (key === shared && [...current, entry].every(({ unit }) => current.length < mostOf(unit))) {
      current.push(entry)
    } else {
      current = [entry]
      shared = key
      batches.push(current)
    }
  }
  return batches
}

/** What all pictures of one call must have alike. */
function sharedBy(unit: Unit): string {
  const values: Readonly<Record<string, unknown>> = { ...unit }
  return JSON.stringify(
    SETTING_ROWS.flatMap(({ name, batch }) => {
      if (batch === 'own') return []
      return batch === 'presence' ? [values[name] !== undefined] : [values[name] ?? null]
    }),
  )
}
