/** Ho et al., "Denoising Diffusion Probabilistic Models", 2020, algorithm 2; diffusers' DDPMScheduler. */
import { AlphaScheduler } from '../alpha-scheduler.ts'
import { booleanOf, choiceOf, numberOf } from '../config-keys.ts'
import { sqrt32 } from '../float32.ts'
import { ALPHA_PREDICTIONS, clipSample, predictFromAlpha } from '../predict.ts'
import type { NoiseSource } from '../scheduler.ts'
import { thresholdingOf } from '../threshold.ts'

const fround = Math.fround

const VARIANCE_TYPES = ['fixed_small', 'fixed_small_log', 'fixed_large'] as const
const SMALLEST_VARIANCE = fround(1e-20)

export class DdpmScheduler extends AlphaScheduler {
  override readonly stochastic = true
  readonly #predictionType = choiceOf(this.config, 'prediction_type', ALPHA_PREDICTIONS)
  readonly #varianceType = choiceOf(this.config, 'variance_type', VARIANCE_TYPES)
  readonly #thresholding = thresholdingOf(this.config)
  readonly #clipLimit = booleanOf(this.config, 'clip_sample')
    ? numberOf(this.config, 'clip_sample_range')
    : null
  #noise: Float32Array = new Float32Array(0)

  protected override buildSchedule(count: number): void {
    this.timesteps = this.spacedTimesteps(count)
  }

  protected override allocate(numElements: number): void {
    this.#noise = new Float32Array(numElements)
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
    const previous = this.timesteps[callIndex + 1] ?? -1
    const alphaBar = this.alphaAt(timestep)
    const previousAlphaBar = previous >= 0 ? this.alphaAt(previous) : 1
    const betaBar = fround(1 - alphaBar)
    const previousBetaBar = fround(1 - previousAlphaBar)
    const alpha = fround(alphaBar / previousAlphaBar)
    const beta = fround(1 - alpha)
    const denoised = this.denoised
    const level = { alpha: sqrt32(alphaBar), sigma: sqrt32(betaBar) }
    predictFromAlpha(this.#predictionType, { modelOutput, sample, out: denoised }, level)
    if (this.#thresholding) this.#thresholding.apply(denoised)
    else if (this.#clipLimit !== null) clipSample(denoised, this.#clipLimit)

    const denoisedWeight = fround(fround(sqrt32(previousAlphaBar) * beta) / betaBar)
    const sampleWeight = fround(fround(sqrt32(alpha) * previousBetaBar) / betaBar)
    for (let i = 0; i < sample.length; i++) {
      sample[i] = fround(denoisedWeight * denoised[i]!) + fround(sampleWeight * sample[i]!)
    }
    if (timestep > 0) {
      const deviation = this.#deviation(fround(fround(previousBetaBar / betaBar) * beta), beta)
      const noise = this.#noise
      drawNoise(noise)
      for (let i = 0; i < sample.length; i++) sample[i] = sample[i]! + fround(deviation * noise[i]!)
    }
    return denoised
  }

  /** @param small β̃, the lower bound of the variance @param large β, its upper bound */
  #deviation(small: number, large: number): number {
    const bounded = Math.max(small, SMALLEST_VARIANCE)
    switch (this.#varianceType) {
      case 'fixed_small':
        return sqrt32(bounded)
      case 'fixed_small_log':
        return fround(Math.exp(fround(0.5 * fround(Math.log(bounded)))))
      case 'fixed_large':
        return sqrt32(large)
    }
  }
}
