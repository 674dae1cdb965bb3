/**
 * A multistep predictor, and a corrector that mends each step with the evaluation made after it, orders 1 to 3.
 * Zhao et al., "UniPC", 2023; diffusers' UniPCMultistepScheduler.
 */
import { alphasCumprodOf } from '../alphas-of.ts'
import { BaseScheduler } from '../base-scheduler.ts'
import { booleanOf, choiceOf, numberOf, numbersOf } from '../config-keys.ts'
import { mixNoise } from '../noising.ts'
import { ALPHA_PREDICTIONS, predictEpsilon, predictForSolver, SOLVER_PREDICTIONS } from '../predict.ts'
import type { NoiseSource, SetTimestepsOptions } from '../scheduler.ts'
import { createSolverLevels, type SolverLevels } from '../solver-levels.ts'
import { thresholdingOf } from '../threshold.ts'
import { buildUniPcSchedule } from '../unipc-schedule.ts'
import { computeUniPcWeights, createUniPcWeights, UNIPC_SOLVER_TYPES } from '../unipc-update.ts'

const fround = Math.fround

export class UniPcScheduler extends BaseScheduler {
  readonly #solverType = choiceOf(this.config, 'solver_type', UNIPC_SOLVER_TYPES)
  protected override readonly scheduleOption = 'sigmas'
  readonly #solverOrder = numberOf(this.config, 'solver_order')
  readonly #predictionType = choiceOf(this.config, 'prediction_type', SOLVER_PREDICTIONS)
  readonly #lowerOrderFinal = booleanOf(this.config, 'lower_order_final')
  readonly #uncorrected = numbersOf(this.config, 'disable_corrector') ?? []
  /** The solver integrates the predicted x0 rather than the predicted noise. */
  readonly #overData = booleanOf(this.config, 'predict_x0')
  readonly #thresholding = thresholdingOf(this.config)
  readonly #alphasCumprod = alphasCumprodOf(this.config)
  readonly #weights = createUniPcWeights()
  #levels: SolverLevels = createSolverLevels(new Float32Array(0), false)
  /** Converted model outputs, the latest first; `#known` of them are set. */
  #history: Float32Array[] = []
  #known = 0
  /** The (corrected) sample that the last prediction started from, and its order; 0 = there was none. */
  #lastSample: Float32Array = new Float32Array(0)
  #lastOrder = 0

  protected override buildSchedule(count: number, options: SetTimestepsOptions): void {
    const { timesteps, sigmas } = buildUniPcSchedule(this.config, this.#alphasCumprod, count, options)
    this.#levels = createSolverLevels(sigmas, booleanOf(this.config, 'use_flow_sigmas'))
    this.sigmas = Array.from(sigmas)
    this.timesteps = timesteps
  }

  protected override allocate(numElements: number): void {
    // One more than the order: the corrector needs the new output and all the old ones.
    this.#history = Array.from({ length: this.#solverOrder + 1 }, () => new Float32Array(numElements))
    this.#lastSample = new Float32Array(numElements)
  }

  protected override resetHistory(): void {
    this.#known = 0
    this.#lastOrder = 0
    this.#thresholding?.allocate(this.numElements / this.batchSize)
  }

  override step(
    modelOutput: Float32Array,
    callIndex: number,
    sample: Float32Array,
    _noise: NoiseSource,
  ): Float32Array {
    const denoised = this.#convert(modelOutput, callIndex, sample)
    if (this.#lastOrder > 0 && !this.#uncorrected.includes(callIndex - 1)) this.#correct(callIndex, sample)
    this.#known = Math.min(this.#known + 1, this.#solverOrder)
    const left = this.timesteps.length - callIndex
    const order = Math.min(this.#known, this.#lowerOrderFinal ? left : this.#solverOrder)
    this.#lastSample.set(sample)
    this.#lastOrder = order
    this.#predict(callIndex, order, sample)
    return denoised
  }

  /** Puts the model output, as the solver integrates it, in front of the history. Returns the predicted x0. */
  #convert(modelOutput: Float32Array, callIndex: number, sample: Float32Array): Float32Array {
    const { alphas, sigmas, raw } = this.#levels
    const alpha = alphas[callIndex]!
    const sigma = sigmas[callIndex]!
    const latest = this.#history.pop()!
    this.#history.unshift(latest)
    const denoised = this.#overData ? latest : this.denoised
    const level = { alpha, sigma }
    predictForSolver(this.#predictionType, { modelOutput, sample, out: denoised }, level, raw[callIndex]!)
    if (this.#overData) {
      this.#thresholding?.apply(denoised)
    } else {
      const type = choiceOf(this.config, 'prediction_type', ALPHA_PREDICTIONS)
      predictEpsilon(type, { modelOutput, sample, out: latest }, level)
    }
    return denoised
  }

  /** Makes the last step again, from where it started, with the model output at its end. */
  #correct(callIndex: number, sample: Float32Array): void {
    const order = this.#lastOrder
    const weights = this.#weights
    const integral = { solverType: this.#solverType, overData: this.#overData, corrector: true }
    computeUniPcWeights(weights, this.#levels, { index: callIndex - 1, order }, integral)
    const { sample: keep, latest, residual, ratios, rhos } = weights
    const [model, m0, m1, m2] = this.#history
    const from = this.#lastSample
    const rho = rhos[order - 1]!
    // Numbers that stay are read once: of a video's latents each millisecond of this counts in every step.
    const [ratio0, ratio1, rho0, rho1] = [ratios[0]!, ratios[1]!, rhos[0]!, rhos[1]!]
    const size = sample.length
    for (let i = 0; i < size; i++) {
      const base = m0![i]!
      let differences = 0
      if (order > 1) differences = fround(rho0 * fround(fround(m1![i]! - base) / ratio0))
      if (order > 2)
        differences = fround(differences + fround(rho1 * fround(fround(m2![i]! - base) / ratio1)))
      differences = fround(differences + fround(rho * fround(model![i]! - base)))
      sample[i] = fround(fround(keep * from[i]!) + fround(latest * base)) + fround(residual * differences)
    }
  }

  #predict(callIndex: number, order: number, sample: Float32Array): void {
    const weights = this.#weights
    const integral = { solverType: this.#solverType, overData: this.#overData, corrector: false }
    computeUniPcWeights(weights, this.#levels, { index: callIndex, order }, integral)
    const { sample: keep, latest, residual, ratios, rhos } = weights
    const [m0, m1, m2] = this.#history
    const [ratio0, ratio1, rho0, rho1] = [ratios[0]!, ratios[1]!, rhos[0]!, rhos[1]!]
    const size = sample.length
    for (let i = 0; i < size; i++) {
      const base = m0![i]!
      const first = fround(fround(keep * sample[i]!) + fround(latest * base))
      if (order === 1) {
        sample[i] = first
        continue
      }
      let differences = fround(rho0 * fround(fround(m1![i]! - base) / ratio0))
      if (order > 2)
        differences = fround(differences + fround(rho1 * fround(fround(m2![i]! - base) / ratio1)))
      sample[i] = first + fround(residual * differences)
    }
  }

  override addNoise(original: Float32Array, noise: Float32Array, callIndex: number): Float32Array {
    return mixNoise(original, noise, this.#levels.alphas[callIndex]!, this.#levels.sigmas[callIndex]!)
  }
}
