/**
 * Euler steps down to a lower level than the next, and fresh noise up to it. Karras et al. 2022 with the split of
 * k-diffusion's sample_euler_ancestral; diffusers' EulerAncestralDiscreteScheduler.
 */
import { alphasCumprodOf } from '../alphas-of.ts'
import { BaseScheduler } from '../base-scheduler.ts'
import { choiceOf, numberOf } from '../config-keys.ts'
import { initNoiseSigmaOf } from '../init-noise-sigma.ts'
import { trainingSigmas } from '../noise-schedule.ts'
import { addSigmaNoise } from '../noising.ts'
import { linearInterpolation } from '../numpy.ts'
import { predictFromSigma, SIGMA_PREDICTIONS, scaleBySigma } from '../predict.ts'
import type { NoiseSource } from '../scheduler.ts'
import { floatTimesteps, TIMESTEP_SPACINGS } from '../timestep-spacing.ts'

const fround = Math.fround

export class EulerAncestralScheduler extends BaseScheduler {
  override readonly stochastic = true
  readonly #numTrainTimesteps = numberOf(this.config, 'num_train_timesteps')
  readonly #predictionType = choiceOf(this.config, 'prediction_type', SIGMA_PREDICTIONS)
  readonly #timestepSpacing = choiceOf(this.config, 'timestep_spacing', TIMESTEP_SPACINGS)
  readonly #stepsOffset = numberOf(this.config, 'steps_offset')
  readonly #trainingSigmas = trainingSigmas(alphasCumprodOf(this.config))
  #levels: Float32Array = new Float32Array(0)
  #noise: Float32Array = new Float32Array(0)

  protected override buildSchedule(count: number): void {
    const timesteps = floatTimesteps(this.#timestepSpacing, this.#numTrainTimesteps, count, this.#stepsOffset)
    const levels = new Float32Array(timesteps.length + 1)
    for (const [i, timestep] of timesteps.entries())
      levels[i] = linearInterpolation(timestep, this.#trainingSigmas)
    this.#levels = levels
    this.sigmas = Array.from(levels)
    this.timesteps = Array.from(timesteps)
    this.initNoiseSigma = initNoiseSigmaOf(levels, this.#timestepSpacing)
  }

  override scaleModelInput(sample: Float32Array, callIndex: number, out: Float32Array): void {
    scaleBySigma(sample, this.#levels[callIndex]!, out)
  }

  protected override allocate(numElements: number): void {
    this.#noise = new Float32Array(numElements)
  }

  override step(
    modelOutput: Float32Array,
    callIndex: number,
    sample: Float32Array,
    drawNoise: NoiseSource,
  ): Float32Array {
    const from = this.#levels[callIndex]!
    const to = this.#levels[callIndex + 1]!
    const from2 = fround(from * from)
    const to2 = fround(to * to)
    const up = fround(Math.sqrt(fround(fround(to2 * fround(from2 - to2)) / from2)))
    // Where `from` is huge, rounding may leave less than nothing; diffusers then gives NaN.
    const down = fround(Math.sqrt(Math.max(fround(to2 - fround(up * up)), 0)))
    const dt = fround(down - from)
    const denoised = this.denoised
    const noise = this.#noise
    predictFromSigma(this.#predictionType, { modelOutput, sample, out: denoised }, from)
    drawNoise(noise)
    for (let i = 0; i < sample.length; i++) {
      const derivative = fround(fround(sample[i]! - denoised[i]!) / from)
      sample[i] = fround(sample[i]! + fround(derivative * dt)) + fround(noise[i]! * up)
    }
    return denoised
  }

  override addNoise(original: Float32Array, noise: Float32Array, callIndex: number): Float32Array {
    return addSigmaNoise(original, noise, this.#levels[callIndex]!)
  }
}
