/**
 * Euler's method on the probability-flow ODE, with churn where it is asked for. Karras et al. 2022, algorithm 2;
 * diffusers' EulerDiscreteScheduler.
 */
import { alphasCumprodOf } from '../alphas-of.ts'
import { BaseScheduler } from '../base-scheduler.ts'
import { choiceOf, numberOf, optionalNumberOf } from '../config-keys.ts'
import { initNoiseSigmaOf } from '../init-noise-sigma.ts'
import { linspaceFloat32, trainingSigmas } from '../noise-schedule.ts'
import { addSigmaNoise } from '../noising.ts'
import { linearInterpolation } from '../numpy.ts'
import { predictFromSigma, SIGMA_PREDICTIONS, scaleBySigma } from '../predict.ts'
import type { NoiseSource } from '../scheduler.ts'
import { spaceSigmas, timestepOfSigma } from '../sigma-spacing.ts'
import { spacingOf } from '../spacing-of.ts'
import { floatTimesteps, TIMESTEP_SPACINGS } from '../timestep-spacing.ts'

const fround = Math.fround

/** Karras et al. 2022, section 4: more noise than this would be added to in one step. */
const MAX_CHURN = Math.SQRT2 - 1

export class EulerScheduler extends BaseScheduler {
  override readonly stochastic = numberOf(this.config, 's_churn') > 0
  readonly #numTrainTimesteps = numberOf(this.config, 'num_train_timesteps')
  readonly #predictionType = choiceOf(this.config, 'prediction_type', SIGMA_PREDICTIONS)
  readonly #timestepSpacing = choiceOf(this.config, 'timestep_spacing', TIMESTEP_SPACINGS)
  readonly #trainingSigmas = trainingSigmas(alphasCumprodOf(this.config))
  readonly #churn = numberOf(this.config, 's_churn')
  readonly #churnMin = numberOf(this.config, 's_tmin')
  readonly #churnMax = numberOf(this.config, 's_tmax')
  readonly #noiseScale = numberOf(this.config, 's_noise')
  #levels: Float32Array = new Float32Array(0)
  #noise: Float32Array = new Float32Array(0)

  protected override buildSchedule(count: number): void {
    const config = this.config
    const training = this.#trainingSigmas
    const logSigmas = training.map(Math.log)
    let timesteps = floatTimesteps(
      this.#timestepSpacing,
      this.#numTrainTimesteps,
      count,
      numberOf(config, 'steps_offset'),
    )
    let sigmas: Float32Array | Float64Array =
      config.interpolation_type === 'log_linear'
        ? linspaceFloat32(logSigmas[logSigmas.length - 1]!, logSigmas[0]!, count + 1).map(Math.exp)
        : timesteps.map((timestep) => linearInterpolation(timestep, training))
    const spacing = spacingOf(config)
    if (spacing !== null) {
      const min = optionalNumberOf(config, 'sigma_min') ?? sigmas[sigmas.length - 1]!
      const max = optionalNumberOf(config, 'sigma_max') ?? sigmas[0]!
      sigmas = spaceSigmas(spacing, min, max, count)
      timesteps = sigmas.map((sigma) => timestepOfSigma(sigma, logSigmas))
    }
    const levels = new Float32Array(sigmas.length + 1)
    levels.set(sigmas)
    levels[sigmas.length] = config.final_sigmas_type === 'sigma_min' ? training[0]! : 0
    this.#levels = levels
    this.sigmas = Array.from(levels)
    const continuous = config.timestep_type === 'continuous' && this.#predictionType === 'v_prediction'
    this.timesteps = continuous
      ? this.sigmas.slice(0, -1).map((sigma) => fround(0.25 * fround(Math.log(sigma))))
      : Array.from(timesteps, fround)
    this.initNoiseSigma = initNoiseSigmaOf(levels, this.#timestepSpacing)
  }

  override scaleModelInput(sample: Float32Array, callIndex: number, out: Float32Array): void {
    scaleBySigma(sample, this.#levels[callIndex]!, out)
  }

  protected override allocate(numElements: number): void {
    if (this.stochastic) this.#noise = new Float32Array(numElements)
  }

  override step(
    modelOutput: Float32Array,
    callIndex: number,
    sample: Float32Array,
    drawNoise: NoiseSource,
  ): Float32Array {
    const sigma = this.#levels[callIndex]!
    const churned = this.#churned(sigma, sample, drawNoise)
    const denoised = this.denoised
    // diffusers churns the level for epsilon alone.
    const predictedAt = this.#predictionType === 'epsilon' ? churned : sigma
    predictFromSigma(this.#predictionType, { modelOutput, sample, out: denoised }, predictedAt)
    const dt = fround(this.#levels[callIndex + 1]! - churned)
    for (let i = 0; i < sample.length; i++) {
      const derivative = fround(fround(sample[i]! - denoised[i]!) / churned)
      sample[i] = sample[i]! + fround(derivative * dt)
    }
    return denoised
  }

  /** Adds noise up to a higher level, where churn is asked for at this one. Returns the level reached. */
  #churned(sigma: number, sample: Float32Array, drawNoise: NoiseSource): number {
    if (!this.stochastic || sigma < this.#churnMin || sigma > this.#churnMax) return sigma
    const gamma = Math.min(this.#churn / (this.#levels.length - 1), MAX_CHURN)
    const reached = fround(sigma * fround(gamma + 1))
    const added = fround(Math.sqrt(fround(fround(reached * reached) - fround(sigma * sigma))))
    const noise = this.#noise
    drawNoise(noise)
    const scale = fround(this.#noiseScale)
    for (let i = 0; i < sample.length; i++) sample[i] = sample[i]! + fround(fround(noise[i]! * scale) * added)
    return reached
  }

  override addNoise(original: Float32Array, noise: Float32Array, callIndex: number): Float32Array {
    return addSigmaNoise(original, noise, this.#levels[callIndex]!)
  }
}
