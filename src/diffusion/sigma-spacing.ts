/** Ways to space noise levels between a largest and a smallest σ, and back from σ to the model's timestep. */
import { betaQuantile } from './beta-quantile.ts'
import { linspace } from './numpy.ts'

export type SigmaSpacing = 'karras' | 'exponential' | 'beta'

const KARRAS_RHO = 7
const BETA_SHAPE = 0.6

/** `count` sigmas from `max` down to `min`, in float64. */
export function spaceSigmas(spacing: SigmaSpacing, min: number, max: number, count: number): Float64Array {
  switch (spacing) {
    case 'karras':
      return karrasSigmas(min, max, count)
    case 'exponential':
      return linspace(Math.log(max), Math.log(min), count).map(Math.exp)
    case 'beta':
      return betaSigmas(min, max, count)
  }
}

/** Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022, eq. 5. */
function karrasSigmas(min: number, max: number, count: number): Float64Array {
  const minRoot = min ** (1 / KARRAS_RHO)
  const maxRoot = max ** (1 / KARRAS_RHO)
  return linspace(0, 1, count).map((ramp) => (maxRoot + ramp * (minRoot - maxRoot)) ** KARRAS_RHO)
}

/** Lee et al., "Beta Sampling is All You Need", 2024. */
function betaSigmas(min: number, max: number, count: number): Float64Array {
  return linspace(0, 1, count).map(
    (ramp) => min + betaQuantile(1 - ramp, BETA_SHAPE, BETA_SHAPE) * (max - min),
  )
}

/**
 * The (fractional) training timestep whose noise level is `sigma`, by linear interpolation in log σ.
 * @param logSigmas ln σ of every training timestep; ascending, but with `rescale_betas_zero_snr` the last may be below
 *   the one before
 */
export function timestepOfSigma(sigma: number, logSigmas: Float32Array | Float64Array): number {
  const logSigma = Math.log(Math.max(sigma, 1e-10))
  const below = logSigmas.findLastIndex((level) => level <= logSigma)
  const low = Math.max(Math.min(below, logSigmas.length - 2), 0)
  const floor = logSigmas[low]!
  const weight = Math.min(Math.max((floor - logSigma) / Math.fround(floor - logSigmas[low + 1]!), 0), 1)
  return (1 - weight) * low + weight * (low + 1)
}
