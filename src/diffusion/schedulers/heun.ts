/**
 * Heun's second-order method: an Euler step, then the mean of the slopes at both ends. Karras et al. 2022,
 * algorithm 1; diffusers' HeunDiscreteScheduler. Two evaluations a step, one in the last.
 */
import { alphasCumprodOf } from '../alphas-of.ts'
import { BaseScheduler } from '../base-scheduler.ts'
import { booleanOf, choiceOf, numberOf, optionalNumberOf } from '../config-keys.ts'
import { initNoiseSigmaOf } from '../init-noise-sigma.ts'
import { trainingSigmas } from '../noise-schedule.ts'
import { addSigmaNoise } from '../noising.ts'
import { linearInterpolation } from '../numpy.ts'
import { clipSample, predictFromSigma, SIGMA_PREDICTIONS, scaleBySigma } from '../predict.ts'
import type { NoiseSource } from '../scheduler.ts'
import { spaceSigmas, timestepOfSigma } from '../sigma-spacing.ts'
import { spacingOf } from '../spacing-of.ts'
import { floatTimesteps, TIMESTEP_SPACINGS } from '../timestep-spacing.ts'

const fround = Math.fround

export class HeunScheduler extends BaseScheduler {
  override readonly order = 2
  readonly #numTrainTimesteps = numberOf(this.config, 'num_train_timesteps')
  readonly #predictionType = choiceOf(this.config, 'prediction_type', SIGMA_PREDICTIONS)
  readonly #timestepSpacing = choiceOf(this.config, 'timestep_spacing', TIMESTEP_SPACINGS)
  readonly #clipLimit = booleanOf(this.config, 'clip_sample')
    ? numberOf(this.config, 'clip_sample_range')
    : null
  readonly #trainingSigmas = trainingSigmas(alphasCumprodOf(this.config))
  /** σ of each evaluation, and of the end. */
  #levels: Float32Array = new Float32Array(0)
  /** Slope and sample of the step's first evaluation. */
  #slope: Float32Array = new Float32Array(0)
  #start: Float32Array = new Float32Array(0)

  protected override buildSchedule(count: number): void {
    const training = this.#trainingSigmas
    const offset = numberOf(this.config, 'steps_offset')
    let timesteps: Float64Array = floatTimesteps(
      this.#timestepSpacing,
      this.#numTrainTimesteps,
      count,
      offset,
    )
    let sigmas: Float64Array = timesteps.map((timestep) => linearInterpolation(timestep, training))
    const spacing = spacingOf(this.config)
    if (spacing !== null) {
      const min = optionalNumberOf(this.config, 'sigma_min') ?? sigmas[sigmas.length - 1]!
      const max = optionalNumberOf(this.config, 'sigma_max') ?? sigmas[0]!
      const logSigmas = training.map(Math.log)
      sigmas = spaceSigmas(spacing, min, max, count)
      timesteps = sigmas.map((sigma) => timestepOfSigma(sigma, logSigmas))
    }
    const calls = 2 * sigmas.length - 1
    const levels = new Float32Array(calls + 1)
    for (let call = 0; call < calls; call++) levels[call] = sigmas[(call + 1) >> 1]!
    this.#levels = levels
    this.sigmas = Array.from(levels)
    this.timesteps = Array.from({ length: calls }, (_, call) => fround(timesteps[(call + 1) >> 1]!))
    this.initNoiseSigma = initNoiseSigmaOf(levels, this.#timestepSpacing)
  }

  protected override numberSteps(): number[] {
    return this.timesteps.map((_, call) => Math.min((call >> 1) + 1, this.numInferenceSteps))
  }

  override scaleModelInput(sample: Float32Array, callIndex: number, out: Float32Array): void {
    scaleBySigma(sample, this.#levels[callIndex]!, out)
  }

  protected override allocate(numElements: number): void {
    this.#slope = new Float32Array(numElements)
    this.#start = new Float32Array(numElements)
  }

  override step(
    modelOutput: Float32Array,
    callIndex: number,
    sample: Float32Array,
    _noise: NoiseSource,
  ): Float32Array {
    const sigma = this.#levels[callIndex]!
    const denoised = this.denoised
    const slope = this.#slope
    const start = this.#start
    predictFromSigma(this.#predictionType, { modelOutput, sample, out: denoised }, sigma)
    if (this.#clipLimit !== null) clipSample(denoised, this.#clipLimit)
    if ((callIndex - this.beginIndex) % 2 === 0) {
      const dt = fround(this.#levels[callIndex + 1]! - sigma)
      start.set(sample)
      for (let i = 0; i < sample.length; i++) {
        slope[i] = fround(sample[i]! - denoised[i]!) / sigma
        sample[i] = sample[i]! + fround(slope[i]! * dt)
      }
      return denoised
    }
    const dt = fround(sigma - this.#levels[callIndex - 1]!)
    for (let i = 0; i < sample.length; i++) {
      const atEnd = fround(fround(sample[i]! - denoised[i]!) / sigma)
      const mean = fround(fround(slope[i]! + atEnd) / 2)
      sample[i] = start[i]! + fround(mean * dt)
    }
    return denoised
  }

  override addNoise(original: Float32Array, noise: Float32Array, callIndex: number): Float32Array {
    return addSigmaNoise(original, noise, this.#levels[callIndex]!)
  }
}
