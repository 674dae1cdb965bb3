/** How fast a run goes, from its events: what its end is expected from. Pure. */
import type { RunEvent } from '../../run/events.ts'
import type { RunState } from '../../run/state.ts'

export interface Pace {
  /** Mean time of the last steps, by device, ms. */
  readonly stepMs: ReadonlyMap<string, number>
  /** Mean time that units took beside their steps (decoding, writing), ms; null before the first. */
  readonly restMs: number | null
  /** Time of the steps of the units in hand, ms. */
  readonly inHand: ReadonlyMap<string, number>
}

export const NO_PACE: Pace = { stepMs: new Map(), restMs: null, inHand: new Map() }

/** Weight of the newest step: the last ten count most. */
const NEWEST = 0.15

export function measurePace(pace: Pace, event: RunEvent): Pace {
  if (event.type === 'unit-started' || event.type === 'unit-restarted') {
    return { ...pace, inHand: new Map(pace.inHand).set(nameOf(event), 0) }
  }
  if (event.type === 'step') {
    const before = pace.stepMs.get(event.device)
    // A first step may hold what comes once: compilation, prompts.
    const mean = before === undefined ? event.durationMs : before + NEWEST * (event.durationMs - before)
    const spent = (pace.inHand.get(nameOf(event)) ?? 0) + event.durationMs
    return {
      ...pace,
      stepMs: new Map(pace.stepMs).set(event.device, mean),
      inHand: new Map(pace.inHand).set(nameOf(event), spent),
    }
  }
  if (event.type === 'unit-finished' || event.type === 'unit-failed') {
    const inHand = new Map(pace.inHand)
    const steps = inHand.get(nameOf(event))
    inHand.delete(nameOf(event))
    if (event.type === 'unit-failed' || steps === undefined) return { ...pace, inHand }
    const rest = Math.max(0, event.durationMs - steps)
    return {
      ...pace,
      inHand,
      restMs: pace.restMs === null ? rest : pace.restMs + NEWEST * (rest - pace.restMs),
    }
  }
  return pace
}

/** Milliseconds until the last unit is drawn; null before the first step. */
export function expectedLeftMs(pace: Pace, { steps, counts }: RunState): number | null {
  if (pace.stepMs.size === 0) return null
  const stepsPerMs = [...pace.stepMs.values()].reduce((sum, stepMs) => sum + 1 / Math.max(stepMs, 0.01), 0)
  const units = Math.max(0, counts.planned - counts.skipped - counts.done - counts.failed)
  return (
    Math.max(0, steps.planned - steps.done) / stepsPerMs + ((pace.restMs ?? 0) * units) / pace.stepMs.size
  )
}

const nameOf = ({ cue, variant }: { readonly cue: string; readonly variant: string }) => `${cue}/${variant}`
