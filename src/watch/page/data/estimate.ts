/** How long a picture will still take, from what its steps took so far. */
import type { UnitProgress } from '../../../run/state.ts'

const LAST_STEPS = 6

/** Milliseconds until the picture in the making has its last step; null where nothing tells. */
export function leftOfUnit({ stepMs, steps, step }: UnitProgress): number | null {
  const last = stepMs.slice(-LAST_STEPS)
  if (last.length === 0) return null
  const mean = last.reduce((sum, durationMs) => sum + durationMs, 0) / last.length
  return Math.max(0, steps - step) * mean
}
