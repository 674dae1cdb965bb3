/**
 * Multistep consistency sampling: jump to x0, noise it to the next level. Luo et al., "Latent Consistency Models",
 * 2023, algorithm 3; diffusers' LCMScheduler.
 */
import { AlphaScheduler } from '../alpha-scheduler.ts'
import { booleanOf, choiceOf, numberOf } from '../config-keys.ts'
import { distilledTimesteps } from '../distilled-timesteps.ts'
import { sqrt32 } from '../float32.ts'
import { ALPHA_PREDICTIONS, clipSample, predictFromAlpha } from '../predict.ts'
import type { NoiseSource, SetTimestepsOptions } from '../scheduler.ts'
import { thresholdingOf } from '../threshold.ts'

const fround = Math.fround

/** Standard deviation of the data that the boundary condition assumes. */
const SIGMA_DATA = 0.5

export class LcmScheduler extends AlphaScheduler {
  override readonly stochastic = true
  protected override readonly scheduleOption = 'strength'
  readonly #originalSteps = numberOf(this.config, 'original_inference_steps')
  readonly #timestepScaling = numberOf(this.config, 'timestep_scaling')
  readonly #predictionType = choiceOf(this.config, 'prediction_type', ALPHA_PREDICTIONS)
  readonly #thresholding = thresholdingOf(this.config)
  readonly #clipLimit = booleanOf(this.config, 'clip_sample')
    ? numberOf(this.config, 'clip_sample_range')
    : null
  #predicted: Float32Array = new Float32Array(0)

  protected override buildSchedule(count: number, { strength = 1 }: SetTimestepsOptions): void {
    const original = this.#originalSteps
    this.requireAtMost(original, this.numTrainTimesteps)
    this.requireAtMost(count, original)
    const trainTimesteps = this.numTrainTimesteps
    this.timesteps = distilledTimesteps(count, { trainTimesteps, originalSteps: original, strength })
  }

  protected override allocate(numElements: number): void {
    this.#predicted = new Float32Array(numElements)
  }

  protected override resetHistory(): void {
    this.#thresholding?.allocate(this.numElements / this.batchSize)
  }

  override step(
    modelOutput: Float32Array,
    callIndex: number,
    sample: Float32Array,
    drawNoise: NoiseSource,
  ): Float32Array {
    const timestep = this.timesteps[callIndex]!
    const alphaBar = this.alphaAt(timestep)
    const predicted = this.#predicted
    const denoised = this.denoised
    const level = { alpha: sqrt32(alphaBar), sigma: sqrt32(fround(1 - alphaBar)) }
    predictFromAlpha(this.#predictionType, { modelOutput, sample, out: predicted }, level)
    if (this.#thresholding) this.#thresholding.apply(predicted)
    else if (this.#clipLimit !== null) clipSample(predicted, this.#clipLimit)

    // The boundary condition keeps x0 = x at t = 0.
    const scaled = fround(timestep * this.#timestepScaling)
    const variance = fround(fround(scaled * scaled) + SIGMA_DATA ** 2)
    const skip = fround(fround(1 / variance) * SIGMA_DATA ** 2)
    const out = fround(scaled / sqrt32(variance))
    for (let i = 0; i < sample.length; i++) {
      denoised[i] = fround(out * predicted[i]!) + fround(skip * sample[i]!)
    }
    if (callIndex === this.timesteps.length - 1) {
      sample.set(denoised)
      return denoised
    }
    const nextAlphaBar = this.alphaAt(this.timesteps[callIndex + 1]!)
    const alpha = sqrt32(nextAlphaBar)
    const sigma = sqrt32(fround(1 - nextAlphaBar))
    const noise = predicted
    drawNoise(noise)
    for (let i = 0; i < sample.length; i++)
      sample[i] = fround(alpha * denoised[i]!) + fround(sigma * noise[i]!)
    return denoised
  }
}
