/**
 * DPM-Solver++ in its multistep form, orders 1 to 3, with and without noise: dpm++2m and dpm++2m-sde.
 * Lu et al., "DPM-Solver++", 2022; diffusers' DPMSolverMultistepScheduler.
 */
import { alphasCumprodOf } from '../alphas-of.ts'
import { BaseScheduler } from '../base-scheduler.ts'
import { booleanOf, choiceOf, numberOf } from '../config-keys.ts'
import { buildDpmSchedule } from '../dpm-solver-schedule.ts'
import {
  computeDpmWeights,
  createDpmWeights,
  DPM_ALGORITHMS,
  DPM_SOLVER_TYPES,
} from '../dpm-solver-update.ts'
import { mixNoise } from '../noising.ts'
import {
  ALPHA_PREDICTIONS,
  epsilonOfDenoised,
  predictEpsilon,
  predictForSolver,
  predictFromAlpha,
  SOLVER_PREDICTIONS,
} from '../predict.ts'
import type { NoiseSource, SetTimestepsOptions } from '../scheduler.ts'
import { createSolverLevels, type SolverLevels } from '../solver-levels.ts'
import { thresholdingOf } from '../threshold.ts'

const fround = Math.fround

/** Below this many steps the last ones fall back to lower orders, for stability. */
const FEW_STEPS = 15

export class DpmSolverMultistepScheduler extends BaseScheduler {
  readonly #algorithm = choiceOf(this.config, 'algorithm_type', DPM_ALGORITHMS)
  readonly #solverType = choiceOf(this.config, 'solver_type', DPM_SOLVER_TYPES)
  readonly #solverOrder = numberOf(this.config, 'solver_order')
  readonly #predictionType = choiceOf(this.config, 'prediction_type', SOLVER_PREDICTIONS)
  readonly #lowerOrderFinal = booleanOf(this.config, 'lower_order_final')
  readonly #eulerAtFinal = booleanOf(this.config, 'euler_at_final')
  readonly #endsAtZero = this.config.final_sigmas_type === 'zero'
  readonly #thresholding = thresholdingOf(this.config)
  /** The solver integrates the predicted x0; the older DPM-Solver the predicted noise. */
  readonly #overData = this.#algorithm.endsWith('++')
  readonly #alphasCumprod = alphasCumprodOf(this.config)
  override readonly stochastic = this.#algorithm.startsWith('sde-')
  readonly #weights = createDpmWeights()
  #levels: SolverLevels = createSolverLevels(new Float32Array(0), false)
  /** Converted model outputs, the latest first; `#known` of them are set. */
  #history: Float32Array[] = []
  #known = 0
  #noise: Float32Array = new Float32Array(0)

  protected override buildSchedule(count: number, { mu }: SetTimestepsOptions): void {
    const { timesteps, sigmas } = buildDpmSchedule(this.config, this.#alphasCumprod, count, mu)
    this.#levels = createSolverLevels(sigmas, booleanOf(this.config, 'use_flow_sigmas'))
    this.sigmas = Array.from(sigmas)
    this.timesteps = timesteps
  }

  protected override allocate(numElements: number): void {
    this.#history = Array.from({ length: this.#solverOrder }, () => new Float32Array(numElements))
    if (this.stochastic) this.#noise = new Float32Array(numElements)
  }

  protected override resetHistory(): void {
    this.#known = 0
    this.#thresholding?.allocate(this.numElements / this.batchSize)
  }

  override step(
    modelOutput: Float32Array,
    callIndex: number,
    sample: Float32Array,
    drawNoise: NoiseSource,
  ): Float32Array {
    const denoised = this.#convert(modelOutput, callIndex, sample)
    if (this.stochastic) drawNoise(this.#noise)
    const order = this.#orderOf(callIndex)
    const step = { index: callIndex, order, solverType: this.#solverType }
    computeDpmWeights(this.#weights, this.#levels, step, this.#algorithm)
    if (order === 1) this.#updateFirst(sample)
    else if (order === 2) this.#updateSecond(sample)
    else this.#updateThird(sample)
    if (this.stochastic) {
      const noise = this.#noise
      const weight = this.#weights.noise
      for (let i = 0; i < sample.length; i++) sample[i] = sample[i]! + fround(weight * noise[i]!)
    }
    return denoised
  }

  /** Puts the model output, as the solver integrates it, in front of the history. Returns the predicted x0. */
  #convert(modelOutput: Float32Array, callIndex: number, sample: Float32Array): Float32Array {
    const { alphas, sigmas, raw } = this.#levels
    const level = { alpha: alphas[callIndex]!, sigma: sigmas[callIndex]! }
    const latest = this.#history.pop()!
    const evaluation = { modelOutput, sample, out: latest }
    this.#history.unshift(latest)
    this.#known = Math.min(this.#known + 1, this.#solverOrder)
    if (this.#overData) {
      predictForSolver(this.#predictionType, evaluation, level, raw[callIndex]!)
      this.#thresholding?.apply(latest)
      return latest
    }
    const denoised = this.denoised
    const type = choiceOf(this.config, 'prediction_type', ALPHA_PREDICTIONS)
    predictEpsilon(type, evaluation, level)
    predictFromAlpha('epsilon', { modelOutput: latest, sample, out: denoised }, level)
    if (this.#thresholding) {
      this.#thresholding.apply(denoised)
      epsilonOfDenoised(denoised, { sample, out: latest }, level)
    }
    return denoised
  }

  #orderOf(callIndex: number): number {
    const left = this.timesteps.length - callIndex
    const few = this.#lowerOrderFinal && this.timesteps.length < FEW_STEPS
    if (left === 1 && (this.#eulerAtFinal || few || this.#endsAtZero)) return 1
    return left === 2 && few ? Math.min(this.#known, 2) : this.#known
  }

  #updateFirst(sample: Float32Array): void {
    const { sample: keep, latest } = this.#weights
    const [m0] = this.#history
    for (let i = 0; i < sample.length; i++) {
      sample[i] = fround(keep * sample[i]!) + fround(latest * m0![i]!)
    }
  }

  #updateSecond(sample: Float32Array): void {
    const { sample: keep, latest, first, r0 } = this.#weights
    const [m0, m1] = this.#history
    const inverse = fround(1 / r0)
    for (let i = 0; i < sample.length; i++) {
      const d1 = fround(inverse * fround(m0![i]! - m1![i]!))
      const two = fround(fround(keep * sample[i]!) + fround(latest * m0![i]!))
      sample[i] = two + fround(first * d1)
    }
  }

  #updateThird(sample: Float32Array): void {
    const { sample: keep, latest, first, second, r0, r1 } = this.#weights
    const [m0, m1, m2] = this.#history
    const inverse0 = fround(1 / r0)
    const inverse1 = fround(1 / r1)
    const inverseSum = fround(1 / fround(r0 + r1))
    const share = fround(r0 / fround(r0 + r1))
    for (let i = 0; i < sample.length; i++) {
      const d10 = fround(inverse0 * fround(m0![i]! - m1![i]!))
      const d11 = fround(inverse1 * fround(m1![i]! - m2![i]!))
      const bend = fround(d10 - d11)
      const d1 = fround(d10 + fround(share * bend))
      const d2 = fround(inverseSum * bend)
      const two = fround(fround(keep * sample[i]!) + fround(latest * m0![i]!))
      sample[i] = fround(two + fround(first * d1)) + fround(second * d2)
    }
  }

  override addNoise(original: Float32Array, noise: Float32Array, callIndex: number): Float32Array {
    return mixNoise(original, noise, this.#levels.alphas[callIndex]!, this.#levels.sigmas[callIndex]!)
  }
}
