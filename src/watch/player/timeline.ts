/** What `timing.json` says, as the moments at which each picture came to be. */

export interface Timeline {
  /** Number of steps. */
  readonly steps: number
  /** Milliseconds from the start at which step 1, 2, …, and last the final picture, are there. Never falls. */
  readonly dueMs: readonly number[]
  /** The last of them: the whole of it. */
  readonly totalMs: number
}

/**
 * Reads the value of a `timing.json`: `{"stepDurations":{"1":1000,…,"final":1000}}`.
 * @throws TypeError for anything but non-negative numbers for 1 … N and `final`
 */
export function timelineOf(value: unknown): Timeline {
  const durations = isRecord(value) ? value.stepDurations : undefined
  if (!isRecord(durations)) throw new TypeError('"stepDurations" is missing')
  const steps = Object.keys(durations).length - 1
  const dueMs: number[] = []
  let elapsed = 0
  for (let place = 1; place <= steps + 1; place++) {
    const key = place > steps ? 'final' : String(place)
    const durationMs = durations[key]
    if (typeof durationMs !== 'number' || !Number.isFinite(durationMs) || durationMs < 0) {
      throw new TypeError(`the duration of "${key}" is missing or no number of milliseconds`)
    }
    elapsed += durationMs
    dueMs.push(elapsed)
  }
  return { steps, dueMs, totalMs: elapsed }
}

/** What is on the stage after so many milliseconds: 0 = nothing yet, k = step k, steps + 1 = the final picture. */
export function frameAt(timeline: Timeline, elapsedMs: number): number {
  let low = 0
  let high = timeline.dueMs.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((timeline.dueMs[middle] ?? 0) <= elapsedMs) low = middle + 1
    else high = middle
  }
  return low
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
