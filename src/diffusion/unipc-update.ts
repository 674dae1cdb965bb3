/**
 * The weights of UniPC's predictor and corrector. Zhao et al., "UniPC: A Unified Predictor-Corrector Framework", 2023,
 * algorithms 1 to 4, with B(h) = h (bh1) or e^h − 1 (bh2). All in float32.
 */
import { expm1_32 } from './float32.ts'
import { solveLinear } from './solve-linear.ts'
import type { SolverLevels } from './solver-levels.ts'

export const UNIPC_SOLVER_TYPES = ['bh1', 'bh2'] as const
export type UniPcSolverType = (typeof UNIPC_SOLVER_TYPES)[number]

const fround = Math.fround
const MAX_ORDER = 3

/** Reused from step to step. The next sample is sample·x + latest·m0 + residual·Σ rhos[k]·Dₖ. */
export interface UniPcWeights {
  sample: number
  latest: number
  residual: number
  /** λ-step ratio of each earlier model output to m0; D_k = (m_k − m0) / ratios[k]. */
  readonly ratios: Float32Array
  /** Of the differences; the corrector's last one is that of the new model output. */
  readonly rhos: Float32Array
  readonly matrix: Float32Array
}

export function createUniPcWeights(): UniPcWeights {
  return {
    sample: 0,
    latest: 0,
    residual: 0,
    ratios: new Float32Array(MAX_ORDER),
    rhos: new Float32Array(MAX_ORDER),
    matrix: new Float32Array(MAX_ORDER * MAX_ORDER),
  }
}

export interface UniPcIntegral {
  readonly solverType: UniPcSolverType
  /** The model outputs are predictions of x0, not of noise. */
  readonly overData: boolean
  /** Whether the model output at `index + 1` is known and takes part. */
  readonly corrector: boolean
}

/**
 * @param index the level that the step leaves, whose model output is m0
 * @param order 1 … 3
 */
export function computeUniPcWeights(
  weights: UniPcWeights,
  { alphas, sigmas, lambdas }: SolverLevels,
  { index, order }: { readonly index: number; readonly order: number },
  { solverType, overData, corrector }: UniPcIntegral,
): void {
  const { ratios } = weights
  const h = fround(lambdas[index + 1]! - lambdas[index]!)
  for (let k = 1; k < order; k++) {
    ratios[k - 1] = fround(lambdas[index - k]! - lambdas[index]!) / h
  }
  ratios[order - 1] = 1

  const signed = overData ? -h : h
  const growth = expm1_32(signed)
  const scale = solverType === 'bh1' ? signed : growth
  const kept = overData ? sigmas : alphas
  const changed = overData ? alphas[index + 1]! : sigmas[index + 1]!
  weights.sample = fround(kept[index + 1]! / kept[index]!)
  weights.latest = -fround(changed * growth)
  weights.residual = -fround(changed * scale)
  solveRhos(weights, order, { signed, growth, scale }, corrector)
}

/** Matches the Taylor series of the integral up to the order; the lowest orders have closed forms. */
function solveRhos(
  { ratios, rhos, matrix }: UniPcWeights,
  order: number,
  { signed, growth, scale }: { readonly signed: number; readonly growth: number; readonly scale: number },
  corrector: boolean,
): void {
  const size = corrector ? order : order - 1
  if (size <= 1 && order <= 2) {
    rhos[0] = 0.5
    return
  }
  let phi = fround(fround(growth / signed) - 1)
  let factorial = 1
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) matrix[row * size + column] = ratios[column]! ** row
    rhos[row] = fround(phi * factorial) / scale
    factorial *= row + 2
    phi = fround(fround(phi / signed) - fround(1 / factorial))
  }
  solveLinear(matrix, rhos, size)
}
