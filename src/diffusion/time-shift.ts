/**
 * Shifts of a flow's noise levels towards more noise. All in place, in the array's own precision: float32 for
 * custom sigmas, float64 for the default ones, as numpy computes them in diffusers.
 */
import { PregenError } from '../errors.ts'

export const TIME_SHIFT_TYPES = ['exponential', 'linear'] as const
export type TimeShiftType = (typeof TIME_SHIFT_TYPES)[number]

type Sigmas = Float32Array | Float64Array

const identity = (value: number): number => value

function roundingOf(sigmas: Sigmas): (value: number) => number {
  return sigmas instanceof Float32Array ? Math.fround : identity
}

/** σ → s·σ / (1 + (s − 1)·σ). Esser et al. 2024, eq. 23. */
export function shiftSigmas(sigmas: Sigmas, shift: number): void {
  const round = roundingOf(sigmas)
  for (let i = 0; i < sigmas.length; i++) {
    const sigma = sigmas[i]!
    const divisor = round(1 + round(round(shift - 1) * sigma))
    sigmas[i] = round(round(shift) * sigma) / divisor
  }
}

/** σ → e^μ / (e^μ + 1/σ − 1), or with μ itself in place of e^μ for `linear`. */
export function shiftByMu(sigmas: Sigmas, mu: number, type: TimeShiftType): void {
  const round = roundingOf(sigmas)
  const factor = round(type === 'exponential' ? Math.exp(mu) : mu)
  for (let i = 0; i < sigmas.length; i++) {
    const odds = round(round(1 / sigmas[i]!) - 1)
    sigmas[i] = factor / round(factor + odds)
  }
}

/**
 * Stretches the levels so that the last one is `terminal` and a level of 1 stays.
 * @throws PregenError where every level is 1, so that there is nothing to stretch
 */
export function stretchToTerminal(sigmas: Sigmas, terminal: number): void {
  const round = roundingOf(sigmas)
  const scale = round(round(1 - sigmas[sigmas.length - 1]!) / round(1 - terminal))
  if (scale === 0) {
    throw new PregenError('E_SCHEDULER_STEPS', 'shift_terminal needs at least 2 steps', {
      help: 'Set steps to 2 or more, or shift_terminal to null.',
    })
  }
  for (let i = 0; i < sigmas.length; i++) sigmas[i] = 1 - round(round(1 - sigmas[i]!) / scale)
}
