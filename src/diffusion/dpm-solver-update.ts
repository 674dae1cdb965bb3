/**
 * The updates of DPM-Solver and DPM-Solver++ as weights: the next sample is a weighted sum of the sample, the latest
 * model output, up to two divided differences of earlier ones, and noise. Lu et al., "DPM-Solver", 2022, and
 * "DPM-Solver++", 2022; the SDE forms as in diffusers' DPMSolverMultistepScheduler. All in float32.
 */
import { exp32, sqrt32 } from './float32.ts'
import type { SolverLevels } from './solver-levels.ts'

export const DPM_ALGORITHMS = ['dpmsolver++', 'sde-dpmsolver++', 'dpmsolver', 'sde-dpmsolver'] as const
export type DpmAlgorithm = (typeof DPM_ALGORITHMS)[number]

export const DPM_SOLVER_TYPES = ['midpoint', 'heun'] as const
export type DpmSolverType = (typeof DPM_SOLVER_TYPES)[number]

const fround = Math.fround
const product = (a: number, b: number): number => fround(a * b)

/** Reused from step to step; `computeDpmWeights` sets every field. */
export interface DpmWeights {
  sample: number
  /** Of the latest model output m0. */
  latest: number
  /** Of the first difference, m0 − m1 over its step ratio. */
  first: number
  /** Of the second difference. */
  second: number
  noise: number
  /** λ-step ratios: m0 to m1 and m1 to m2, over this step. */
  r0: number
  r1: number
}

export function createDpmWeights(): DpmWeights {
  return { sample: 0, latest: 0, first: 0, second: 0, noise: 0, r0: 0, r1: 0 }
}

export interface DpmStep {
  /** Of its first level. */
  readonly index: number
  readonly order: number
  readonly solverType: DpmSolverType
}

/** @param index the level that the step leaves; it reaches `index + 1` @param order 1 … 3 */
export function computeDpmWeights(
  weights: DpmWeights,
  levels: SolverLevels,
  step: DpmStep,
  algorithm: DpmAlgorithm,
): void {
  const { index, order } = step
  const { lambdas } = levels
  const h = fround(lambdas[index + 1]! - lambdas[index]!)
  weights.r0 = order > 1 ? fround(fround(lambdas[index]! - lambdas[index - 1]!) / h) : 0
  weights.r1 = order > 2 ? fround(fround(lambdas[index - 1]! - lambdas[index - 2]!) / h) : 0
  weights.first = 0
  weights.second = 0
  weights.noise = 0
  switch (algorithm) {
    case 'dpmsolver++':
      weighDataOde(weights, levels, step, h)
      return
    case 'sde-dpmsolver++':
      weighDataSde(weights, levels, step, h)
      return
    case 'dpmsolver':
      weighNoiseOde(weights, levels, step, h)
      return
    case 'sde-dpmsolver':
      weighNoiseSde(weights, levels, step, h)
  }
}

function weighDataOde(
  weights: DpmWeights,
  { alphas, sigmas }: SolverLevels,
  { index, order, solverType }: DpmStep,
  h: number,
): void {
  const alpha = alphas[index + 1]!
  const decay = fround(exp32(-h) - 1)
  weights.sample = fround(sigmas[index + 1]! / sigmas[index]!)
  weights.latest = -product(alpha, decay)
  if (order === 1) return
  if (order === 2 && solverType === 'midpoint') weights.first = -product(0.5, product(alpha, decay))
  else weights.first = product(alpha, fround(fround(decay / h) + 1))
  if (order === 3) {
    weights.second = -product(alpha, fround(fround(fround(decay + h) / product(h, h)) - 0.5))
  }
}

function weighDataSde(
  weights: DpmWeights,
  { alphas, sigmas }: SolverLevels,
  { index, order, solverType }: DpmStep,
  h: number,
): void {
  const alpha = alphas[index + 1]!
  const sigma = sigmas[index + 1]!
  const twice = product(2, h)
  const gain = fround(1 - exp32(-twice))
  weights.sample = product(fround(sigma / sigmas[index]!), exp32(-h))
  weights.latest = product(alpha, gain)
  weights.noise = product(sigma, sqrt32(gain))
  if (order === 1) return
  if (order === 2 && solverType === 'midpoint') weights.first = product(0.5, product(alpha, gain))
  else weights.first = product(alpha, fround(fround(gain / -twice) + 1))
  if (order === 3) {
    weights.second = product(alpha, fround(fround(fround(gain - twice) / product(twice, twice)) - 0.5))
  }
}

function weighNoiseOde(
  weights: DpmWeights,
  { alphas, sigmas }: SolverLevels,
  { index, order, solverType }: DpmStep,
  h: number,
): void {
  const sigma = sigmas[index + 1]!
  const growth = fround(exp32(h) - 1)
  weights.sample = fround(alphas[index + 1]! / alphas[index]!)
  weights.latest = -product(sigma, growth)
  if (order === 1) return
  if (order === 2 && solverType === 'midpoint') weights.first = -product(0.5, product(sigma, growth))
  else weights.first = -product(sigma, fround(fround(growth / h) - 1))
  if (order === 3) {
    weights.second = -product(sigma, fround(fround(fround(growth - h) / product(h, h)) - 0.5))
  }
}

function weighNoiseSde(
  weights: DpmWeights,
  { alphas, sigmas }: SolverLevels,
  { index, order, solverType }: DpmStep,
  h: number,
): void {
  const sigma = sigmas[index + 1]!
  const growth = fround(exp32(h) - 1)
  weights.sample = fround(alphas[index + 1]! / alphas[index]!)
  weights.latest = -product(2, product(sigma, growth))
  weights.noise = product(sigma, sqrt32(fround(exp32(product(2, h)) - 1)))
  if (order === 1) return
  if (solverType === 'midpoint') weights.first = -product(sigma, growth)
  else weights.first = -product(2, product(sigma, fround(fround(growth / h) - 1)))
}
