/** The noise levels of a multistep solver's schedule in the three forms that its updates need. */
import { log32, sqrt32 } from './float32.ts'

const fround = Math.fround

export interface SolverLevels {
  /** As scheduled, one more than there are timesteps. */
  readonly raw: Float32Array
  /** Weight of the picture in the sample. */
  readonly alphas: Float32Array
  /** Weight of the noise in the sample. */
  readonly sigmas: Float32Array
  /** Half the log signal-to-noise ratio, ln α − ln σ. */
  readonly lambdas: Float32Array
}

/** @param flow α = 1 − σ; otherwise α² + σ² = 1 */
export function createSolverLevels(raw: Float32Array, flow: boolean): SolverLevels {
  const alphas = raw.map((sigma) => (flow ? 1 - sigma : 1 / sqrt32(fround(fround(sigma * sigma) + 1))))
  const sigmas = flow ? raw : raw.map((sigma, i) => sigma * alphas[i]!)
  const lambdas = alphas.map((alpha, i) => log32(alpha) - log32(sigmas[i]!))
  return { raw, alphas, sigmas, lambdas }
}
