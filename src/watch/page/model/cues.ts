import type { Variant } from '../data/show.ts'

export interface CueCount {
  readonly cue: string
  readonly count: number
}

/** The cues in the order in which they come, with the number of their variants. */
export function countCues(variants: readonly Variant[]): readonly CueCount[] {
  const counts = new Map<string, number>()
  for (const { cue } of variants) counts.set(cue, (counts.get(cue) ?? 0) + 1)
  return [...counts].map(([cue, count]) => ({ cue, count }))
}
