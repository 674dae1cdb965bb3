/**
 * Trajectory consistency sampling: jump along the trajectory to s, and noise from there to the next level. Zheng et al.,
 * "Trajectory Consistency Distillation", 2024, algorithm 4; diffusers' TCDScheduler.
 */
import { AlphaScheduler } from '../alpha-scheduler.ts'
import { choiceOf, numberOf } from '../config-keys.ts'
import { distilledTimesteps } from '../distilled-timesteps.ts'
import { sqrt32 } from '../float32.ts'
import { ALPHA_PREDICTIONS, predictEpsilon, predictFromAlpha } from '../predict.ts'
import type { NoiseSource } from '../scheduler.ts'

const fround = Math.fround

export class TcdScheduler extends AlphaScheduler {
  /** The paper's γ: 0 follows the trajectory, 1 jumps to its end and noises all the way back. */
  readonly #eta = numberOf(this.config, 'eta')
  override readonly stochastic = numberOf(this.config, 'eta') > 0
  readonly #originalSteps = numberOf(this.config, 'original_inference_steps')
  readonly #predictionType = choiceOf(this.config, 'prediction_type', ALPHA_PREDICTIONS)
  #epsilon: Float32Array = new Float32Array(0)

  protected override buildSchedule(count: number): void {
    const [trainTimesteps, originalSteps] = [this.numTrainTimesteps, this.#originalSteps]
    this.requireAtMost(originalSteps, trainTimesteps)
    this.requireAtMost(count, originalSteps)
    this.timesteps = distilledTimesteps(count, { trainTimesteps, originalSteps, strength: 1 })
  }

  protected override allocate(numElements: number): void {
    this.#epsilon = new Float32Array(numElements)
  }

  override step(
    modelOutput: Float32Array,
    callIndex: number,
    sample: Float32Array,
    drawNoise: NoiseSource,
  ): Float32Array {
    const isLast = callIndex === this.timesteps.length - 1
    const next = isLast ? 0 : this.timesteps[callIndex + 1]!
    const alphaBar = this.alphaAt(this.timesteps[callIndex]!)
    const level = { alpha: sqrt32(alphaBar), sigma: sqrt32(fround(1 - alphaBar)) }
    const { denoised } = this
    const epsilon = this.#epsilon
    predictFromAlpha(this.#predictionType, { modelOutput, sample, out: denoised }, level)
    predictEpsilon(this.#predictionType, { modelOutput, sample, out: epsilon }, level)

    const jumpAlphaBar = this.alphaAt(Math.floor(fround(fround(1 - this.#eta) * next)))
    const alpha = sqrt32(jumpAlphaBar)
    const sigma = sqrt32(fround(1 - jumpAlphaBar))
    for (let i = 0; i < sample.length; i++) {
      sample[i] = fround(alpha * denoised[i]!) + fround(sigma * epsilon[i]!)
    }
    if (!this.stochastic || isLast) return denoised
    const kept = fround(this.alphaAt(next) / jumpAlphaBar)
    const [scale, deviation] = [sqrt32(kept), sqrt32(fround(1 - kept))]
    drawNoise(epsilon)
    for (let i = 0; i < sample.length; i++) {
      sample[i] = fround(scale * sample[i]!) + fround(deviation * epsilon[i]!)
    }
    return denoised
  }
}
