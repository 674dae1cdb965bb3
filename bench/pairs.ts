/** What a preview adds to a step, from runs in which every fourth step has one: neighbours in time are compared. */
import type { Measurement } from './measure.ts'

/** `previews: { every: 4 }` */
export const PAIRED_EVERY = 4

/**
 * One gain for each preview: the two steps that follow it, in which its picture is made, written and sent, against the two
 * behind them, as a share of a step. A machine that slows down for minutes slows down both.
 */
export function gainsOf(rounds: readonly Measurement[]): number[] {
  return rounds.flatMap(({ stepEnds }) => stepEnds.flatMap(gainsOfPicture))
}

function gainsOfPicture(ends: readonly number[]): number[] {
  const gains: number[] = []
  for (let step = PAIRED_EVERY; step + PAIRED_EVERY <= ends.length; step += PAIRED_EVERY) {
    const [from, middle, to] = [ends[step - 1]!, ends[step + 1]!, ends[step + 3]!]
    const without = to - middle
    gains.push((middle - from - without) / (without / 2))
  }
  return gains
}
