/** Song et al., "Denoising Diffusion Implicit Models", 2021, eq. 12; diffusers' DDIMScheduler. */
import { AlphaScheduler } from '../alpha-scheduler.ts'
import { booleanOf, choiceOf, numberOf } from '../config-keys.ts'
import { sqrt32 } from '../float32.ts'
import {
  ALPHA_PREDICTIONS,
  clipSample,
  epsilonOfDenoised,
  predictEpsilon,
  predictFromAlpha,
} from '../predict.ts'
import type { NoiseSource } from '../scheduler.ts'
import { thresholdingOf } from '../threshold.ts'

const fround = Math.fround

export class DdimScheduler extends AlphaScheduler {
  override readonly stochastic = numberOf(this.config, 'eta') > 0
  readonly #eta = fround(numberOf(this.config, 'eta'))
  readonly #predictionType = choiceOf(this.config, 'prediction_type', ALPHA_PREDICTIONS)
  readonly #thresholding = thresholdingOf(this.config)
  readonly #clipLimit = booleanOf(this.config, 'clip_sample')
    ? numberOf(this.config, 'clip_sample_range')
    : null
  readonly #useClipped = booleanOf(this.config, 'use_clipped_model_output')
  readonly #finalAlpha = booleanOf(this.config, 'set_alpha_to_one') ? 1 : this.alphasCumprod[0]!
  #epsilon: Float32Array = new Float32Array(0)

  protected override buildSchedule(count: number): void {
    this.timesteps = this.spacedTimesteps(count)
  }

  protected override allocate(numElements: number): void {
    this.#epsilon = new Float32Array(numElements)
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
    const previous = timestep - Math.floor(this.numTrainTimesteps / this.numInferenceSteps)
    const alphaBar = this.alphaAt(timestep)
    const previousAlphaBar = previous >= 0 ? this.alphaAt(previous) : this.#finalAlpha
    const alpha = sqrt32(alphaBar)
    const sigma = sqrt32(fround(1 - alphaBar))
    const denoised = this.denoised
    const level = { alpha, sigma }
    predictFromAlpha(this.#predictionType, { modelOutput, sample, out: denoised }, level)
    const epsilon = this.#epsilon
    predictEpsilon(this.#predictionType, { modelOutput, sample, out: epsilon }, level)
    if (this.#thresholding) this.#thresholding.apply(denoised)
    else if (this.#clipLimit !== null) clipSample(denoised, this.#clipLimit)
    if (this.#useClipped) epsilonOfDenoised(denoised, { sample, out: epsilon }, level)

    const deviation = this.stochastic ? fround(this.#eta * sqrt32(varianceOf(alphaBar, previousAlphaBar))) : 0
    // With eta 1 rounding may leave less than nothing, which diffusers turns into NaN.
    const left = fround(fround(1 - previousAlphaBar) - fround(deviation * deviation))
    const direction = sqrt32(Math.max(left, 0))
    const previousAlpha = sqrt32(previousAlphaBar)
    for (let i = 0; i < sample.length; i++) {
      sample[i] = fround(previousAlpha * denoised[i]!) + fround(direction * epsilon[i]!)
    }
    if (this.stochastic) {
      drawNoise(epsilon)
      for (let i = 0; i < sample.length; i++) sample[i] = sample[i]! + fround(deviation * epsilon[i]!)
    }
    return denoised
  }
}

/** σ² of eq. 16 at eta 1. */
function varianceOf(alphaBar: number, previousAlphaBar: number): number {
  const ratio = fround(fround(1 - previousAlphaBar) / fround(1 - alphaBar))
  return fround(ratio * fround(1 - fround(alphaBar / previousAlphaBar)))
}
