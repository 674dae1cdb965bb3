/** Rows of different heights, of which only those in view are made. */

export interface ListRow {
  readonly key: string
  /** Pixels. */
  readonly height: number
}

/** Where each row begins, and at the end where the last one ends. */
export function offsetsOf(rows: readonly ListRow[]): readonly number[] {
  const offsets = [0]
  let end = 0
  for (const { height } of rows) {
    end += height
    offsets.push(end)
  }
  return offsets
}

/** First row and the one after the last that touch the stretch `from` … `to`. */
export function rowsBetween(offsets: readonly number[], from: number, to: number): readonly [number, number] {
  const count = offsets.length - 1
  const first = Math.max(0, upperBound(offsets, from) - 1)
  const end = Math.min(count, upperBound(offsets, to))
  return [Math.min(first, count), Math.max(end, Math.min(first, count))]
}

/** Number of offsets that are at or below a place. */
function upperBound(offsets: readonly number[], place: number): number {
  let low = 0
  let high = offsets.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((offsets[middle] ?? 0) <= place) low = middle + 1
    else high = middle
  }
  return low
}
