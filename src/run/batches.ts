/** Units that one model call can draw together. */
import type { Unit } from '../plan/unit.ts'

/**
 * Splits units, in order, into batches: neighbours that differ in prompt, seed and init image only, up to the
 * `batch` that each of them allows.
 */
export function groupIntoBatches<T extends { readonly unit: Unit }>(units: readonly T[]): T[][] {
  const batches: T[][] = []
  let current: T[] = []
  for (const entry of units) {
    const first = current[0]
    const fits =
      first !== undefined &&
      [...current, entry].every(({ unit }) => current.length < unit.batch) &&
      shapeOf(first.unit) === shapeOf(entry.unit)
    if (fits) {
      current.push(entry)
    } else {
      current = [entry]
      batches.push(current)
    }
  }
  return batches
}

/** What all pictures of one call must share. */
function shapeOf(unit: Unit): string {
  const { model, width, height, steps, guidanceScale, scheduler, denoiseStrength, promptSyntax } = unit
  return JSON.stringify([
    model,
    width,
    height,
    steps,
    guidanceScale,
    scheduler,
    unit.image !== undefined,
    denoiseStrength ?? null,
    promptSyntax,
    unit.maxSequenceLength ?? null,
  ])
}

/** Items by a key, in the order in which each key first came up (`Map.groupBy` needs Node 21). */
export function groupBy<T, K>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}
