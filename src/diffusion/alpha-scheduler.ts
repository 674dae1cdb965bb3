/** What the schedulers share that look up ᾱ by whole timesteps: DDIM, DDPM, PNDM, LCM. */
import { PregenError } from '../errors.ts'
import { plainAlphasCumprodOf } from './alphas-of.ts'
import { BaseScheduler } from './base-scheduler.ts'
import { choiceOf, numberOf } from './config-keys.ts'
import { addAlphaNoise, addAlphaNoiseInHalf } from './noising.ts'
import { integerTimesteps, TIMESTEP_SPACINGS } from './timestep-spacing.ts'

export abstract class AlphaScheduler extends BaseScheduler {
  protected readonly numTrainTimesteps = numberOf(this.config, 'num_train_timesteps')
  protected readonly alphasCumprod = plainAlphasCumprodOf(this.config)

  /** ᾱ of a timestep. A timestep of −1 counts from the end, as it does in diffusers. */
  protected alphaAt(timestep: number): number {
    return this.alphasCumprod.at(timestep)!
  }

  /** @throws PregenError where the spacing leaves the model's training range, or there are more steps than timesteps */
  protected spacedTimesteps(count: number): number[] {
    const total = this.numTrainTimesteps
    this.requireAtMost(count, total)
    const spacing = choiceOf(this.config, 'timestep_spacing', TIMESTEP_SPACINGS)
    const offset = numberOf(this.config, 'steps_offset')
    const timesteps = Array.from(integerTimesteps(spacing, total, count, offset))
    if (timesteps[0]! >= total) {
      throw new PregenError(
        'E_SCHEDULER_STEPS',
        `${count} steps with steps_offset ${offset} start at timestep ${timesteps[0]}, the model knows 0 … ${total - 1}`,
        { help: 'Ask for fewer steps, or set steps_offset to 0.' },
      )
    }
    return timesteps
  }

  protected requireAtMost(count: number, limit: number): void {
    if (count <= limit) return
    throw new PregenError(
      'E_SCHEDULER_STEPS',
      `${this.name} can take at most ${limit} steps here, got ${count}`,
    )
  }

  override addNoise(
    original: Float32Array,
    noise: Float32Array,
    callIndex: number,
    half = false,
  ): Float32Array {
    const alphaBar = this.alphaAt(this.timesteps[callIndex]!)
    return half ? addAlphaNoiseInHalf(original, noise, alphaBar) : addAlphaNoise(original, noise, alphaBar)
  }
}
