/** Which training timesteps a trajectory visits. Lin et al. 2023, table 2; diffusers' `timestep_spacing`. */
import { descend, linspace, roundHalfEven } from './numpy.ts'

export const TIMESTEP_SPACINGS = ['linspace', 'leading', 'trailing'] as const
export type TimestepSpacing = (typeof TIMESTEP_SPACINGS)[number]

/** The first timestep of `trailing` is the last training timestep; it may come out one longer than `count`. */
export function trailingTimesteps(numTrainTimesteps: number, count: number): Float64Array {
  return descend(numTrainTimesteps, numTrainTimesteps / count).map((value) => roundHalfEven(value) - 1)
}

/** Multiples of a whole ratio, descending, moved up by `offset`. */
function leadingTimesteps(ratio: number, count: number, offset: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => (count - 1 - i) * ratio + offset)
}

/** Whole timesteps of the classes that take integers (DDIM, DDPM, PNDM), descending. */
export function integerTimesteps(
  spacing: TimestepSpacing,
  numTrainTimesteps: number,
  count: number,
  offset: number,
): Float64Array {
  switch (spacing) {
    case 'linspace':
      return linspace(0, numTrainTimesteps - 1, count)
        .map(roundHalfEven)
        .reverse()
    case 'leading':
      return leadingTimesteps(Math.floor(numTrainTimesteps / count), count, offset)
    case 'trailing':
      return trailingTimesteps(numTrainTimesteps, count)
  }
}

/** Timesteps of the Euler family and Heun, descending, as float32: `linspace` keeps its fractions. */
export function floatTimesteps(
  spacing: TimestepSpacing,
  numTrainTimesteps: number,
  count: number,
  offset: number,
): Float64Array {
  if (spacing !== 'linspace') return integerTimesteps(spacing, numTrainTimesteps, count, offset)
  return linspace(0, numTrainTimesteps - 1, count)
    .map(Math.fround)
    .reverse()
}

/** Timesteps of DPM-Solver++ and UniPC: of `count + 1` points the last is left out. @param last where clipping ends them */
export function solverTimesteps(
  spacing: TimestepSpacing,
  { total, last = total }: { readonly total: number; readonly last?: number },
  count: number,
  offset: number,
): Float64Array {
  switch (spacing) {
    case 'linspace':
      return linspace(0, last - 1, count + 1)
        .map(roundHalfEven)
        .reverse()
        .slice(0, -1)
    case 'leading': {
      const ratio = Math.floor(last / (count + 1))
      return leadingTimesteps(ratio, count, ratio + offset)
    }
    case 'trailing':
      return descend(last, total / count).map((value) => roundHalfEven(value) - 1)
  }
}
