/** From `timing.json` to the moments at which a film changes its picture. Pure. */
import { type Timing, timingSteps } from '../artifacts/timing.ts'
import type { FilmOptions } from './film-options.ts'

export interface Cut {
  /** Milliseconds from the film's beginning. */
  readonly startMs: number
  /** A step, or `final`. */
  readonly picture: number | 'final'
}

export interface Cuts {
  /** In order; the first at 0. */
  readonly cuts: readonly Cut[]
  readonly endMs: number
}

/**
 * Step k comes when the durations of steps 1 … k have passed, as in the player: its picture did not exist before. Until
 * the second picture comes the first is shown.
 * @param steps that have a picture, rising
 */
export function cutsOf(
  timing: Timing,
  steps: readonly number[],
  { pace, holdMs }: Pick<FilmOptions, 'pace' | 'holdMs'>,
): Cuts {
  const momentMs = [0]
  const count = timingSteps(timing)
  for (let step = 1; step <= count; step++) {
    momentMs.push(momentMs[step - 1]! + timing.stepDurations[step]!)
  }
  const totalMs = momentMs[count]! + timing.stepDurations.final!
  const pictures: Cut[] = steps
    .filter((step) => step <= count)
    .map((step) => ({ startMs: momentMs[step]!, picture: step }))
  pictures.push({ startMs: totalMs, picture: 'final' })
  const factor = typeof pace === 'number' ? pace : 1
  const cuts = pictures.map(({ startMs, picture }, at) => ({
    picture,
    startMs: at === 0 ? 0 : pace === 'even' ? (at * totalMs) / (pictures.length - 1) : startMs / factor,
  }))
  return { cuts, endMs: cuts.at(-1)!.startMs + holdMs }
}
