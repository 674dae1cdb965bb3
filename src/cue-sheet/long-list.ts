/** Lists too long to be judged: each of their entries may be at fault, and the judge's stack has an end. */
import type { SheetPath } from './faults.ts'

/** As many as a sheet may have units. */
export const MAX_LIST = 100_000

/** The path of the first list with more entries than `MAX_LIST`; undefined: there is none. */
export function findLongList(data: unknown): SheetPath | undefined {
  const open: { value: unknown; path: SheetPath }[] = [{ value: data, path: [] }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, path } = next
    if (typeof value !== 'object' || value === null) continue
    if (Array.isArray(value) && value.length > MAX_LIST) return path
    // Only what lies in maps: a sheet has no list of lists.
    if (Array.isArray(value)) continue
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner === 'object' && inner !== null) open.push({ value: inner, path: [...path, key] })
    }
  }
  return undefined
}
