/**
 * From what a model predicts (noise, velocity or the picture) to the predicted x0, rounding to float32 after each
 * operation as torch does. Two parametrisations: by σ (samples of variance 1 + σ²) and by α, σ (variance kept at 1).
 */

export const SIGMA_PREDICTIONS = ['epsilon', 'v_prediction', 'sample', 'original_sample'] as const
export type SigmaPrediction = (typeof SIGMA_PREDICTIONS)[number]

export const ALPHA_PREDICTIONS = ['epsilon', 'v_prediction', 'sample'] as const
export type AlphaPrediction = (typeof ALPHA_PREDICTIONS)[number]

const fround = Math.fround

/** One answer of the model, arrays of one length. */
export interface Evaluation {
  readonly modelOutput: Float32Array
  /** What the model was shown, unscaled. */
  readonly sample: Float32Array
  /** Where the result goes. */
  readonly out: Float32Array
}

/** Weights of picture and noise in a sample. */
export interface NoiseLevel {
  readonly alpha: number
  readonly sigma: number
}

/** x0 of a sample x = x0 + σ·noise. */
export function predictFromSigma(
  type: SigmaPrediction,
  { modelOutput, sample, out }: Evaluation,
  sigma: number,
): void {
  if (type === 'epsilon') {
    for (let i = 0; i < out.length; i++) out[i] = sample[i]! - fround(sigma * modelOutput[i]!)
    return
  }
  if (type === 'v_prediction') {
    const variance = fround(fround(sigma * sigma) + 1)
    const factor = fround(-sigma / fround(Math.sqrt(variance)))
    for (let i = 0; i < out.length; i++)
      out[i] = fround(modelOutput[i]! * factor) + fround(sample[i]! / variance)
    return
  }
  out.set(modelOutput)
}

/** x0 of a sample x = α·x0 + σ·noise. */
export function predictFromAlpha(
  type: AlphaPrediction,
  { modelOutput, sample, out }: Evaluation,
  { alpha, sigma }: NoiseLevel,
): void {
  if (type === 'epsilon') {
    for (let i = 0; i < out.length; i++) out[i] = fround(sample[i]! - fround(sigma * modelOutput[i]!)) / alpha
    return
  }
  if (type === 'v_prediction') {
    for (let i = 0; i < out.length; i++) out[i] = fround(alpha * sample[i]!) - fround(sigma * modelOutput[i]!)
    return
  }
  out.set(modelOutput)
}

/** The model's input at noise level σ: x / √(σ² + 1). */
export function scaleBySigma(sample: Float32Array, sigma: number, out: Float32Array): void {
  const divisor = fround(Math.sqrt(fround(fround(sigma * sigma) + 1)))
  for (let i = 0; i < sample.length; i++) out[i] = sample[i]! / divisor
}

/** Clamps to −limit … limit, in place. */
export function clipSample(values: Float32Array, limit: number): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value > limit) values[i] = limit
    else if (value < -limit) values[i] = -limit
  }
}

/** What DPM-Solver++ and UniPC know beyond ALPHA_PREDICTIONS: a flow's velocity, noise − x0. */
export const SOLVER_PREDICTIONS = [...ALPHA_PREDICTIONS, 'flow_prediction'] as const
export type SolverPrediction = (typeof SOLVER_PREDICTIONS)[number]

/** x0 for a multistep solver. @param rawSigma σ of the schedule, which a flow prediction is measured by */
export function predictForSolver(
  type: SolverPrediction,
  evaluation: Evaluation,
  level: NoiseLevel,
  rawSigma: number,
): void {
  if (type === 'flow_prediction') predictFromSigma('epsilon', evaluation, rawSigma)
  else predictFromAlpha(type, evaluation, level)
}

/** The noise in a sample x = α·x0 + σ·noise. */
export function predictEpsilon(
  type: AlphaPrediction,
  { modelOutput, sample, out }: Evaluation,
  { alpha, sigma }: NoiseLevel,
): void {
  if (type === 'epsilon') {
    out.set(modelOutput)
    return
  }
  if (type === 'sample') {
    epsilonOfDenoised(modelOutput, { sample, out }, { alpha, sigma })
    return
  }
  for (let i = 0; i < out.length; i++) out[i] = fround(alpha * modelOutput[i]!) + fround(sigma * sample[i]!)
}

/** (x − α·x0) / σ */
export function epsilonOfDenoised(
  denoised: Float32Array,
  { sample, out }: Omit<Evaluation, 'modelOutput'>,
  { alpha, sigma }: NoiseLevel,
): void {
  for (let i = 0; i < out.length; i++) out[i] = fround(sample[i]! - fround(alpha * denoised[i]!)) / sigma
}
