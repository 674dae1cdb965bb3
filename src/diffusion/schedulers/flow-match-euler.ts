/**
 * Euler steps along a rectified flow, x += (σ' − σ)·v. Esser et al., "Scaling Rectified Flow Transformers for
 * High-Resolution Image Synthesis", 2024; diffusers' FlowMatchEulerDiscreteScheduler.
 */
import { PregenError } from '../../errors.ts'
import { BaseScheduler } from '../base-scheduler.ts'
import { booleanOf, choiceOf, numberOf, optionalNumberOf } from '../config-keys.ts'
import { addFlowNoise, addFlowNoiseInHalf } from '../noising.ts'
import { linspace } from '../numpy.ts'
import type { NoiseSource, SetTimestepsOptions } from '../scheduler.ts'
import { type SigmaSpacing, spaceSigmas } from '../sigma-spacing.ts'
import { spacingOf } from '../spacing-of.ts'
import {
  shiftByMu,
  shiftSigmas,
  stretchToTerminal,
  TIME_SHIFT_TYPES,
  type TimeShiftType,
} from '../time-shift.ts'

const fround = Math.fround

export class FlowMatchEulerScheduler extends BaseScheduler {
  override readonly stochastic = booleanOf(this.config, 'stochastic_sampling')
  protected override readonly scheduleOption = 'sigmas'
  readonly #numTrainTimesteps = numberOf(this.config, 'num_train_timesteps')
  readonly #shift = numberOf(this.config, 'shift')
  readonly #dynamicShifting = booleanOf(this.config, 'use_dynamic_shifting')
  readonly #timeShiftType: TimeShiftType = choiceOf(this.config, 'time_shift_type', TIME_SHIFT_TYPES)
  readonly #shiftTerminal = optionalNumberOf(this.config, 'shift_terminal')
  readonly #invert = booleanOf(this.config, 'invert_sigmas')
  readonly #spacing: SigmaSpacing | null = spacingOf(this.config)
  #levels: Float32Array = new Float32Array(0)
  #noise: Float32Array = new Float32Array(0)

  protected override buildSchedule(count: number, { sigmas: custom, mu }: SetTimestepsOptions): void {
    if (custom && custom.length !== count) {
      throw new RangeError(`${count} steps need as many sigmas, got ${custom.length}`)
    }
    const sigmas = this.#spaced(
      this.#shifted(custom ? Float32Array.from(custom) : this.#defaultSigmas(count), mu),
    )
    const levels = new Float32Array(count + 1)
    levels.set(sigmas)
    if (this.#invert) {
      for (let i = 0; i < count; i++) levels[i] = 1 - levels[i]!
      levels[count] = 1
    }
    this.#levels = levels
    this.sigmas = Array.from(levels)
    this.timesteps = this.sigmas.slice(0, count).map((sigma) => fround(sigma * this.#numTrainTimesteps))
  }

  /** The training range, which the class has shifted once already. In float64, as numpy has it. */
  #defaultSigmas(count: number): Float64Array {
    const total = this.#numTrainTimesteps
    return linspace(this.#trainingSigma(total) * total, this.#trainingSigma(1) * total, count).map(
      (timestep) => timestep / total,
    )
  }

  /** The noise level of a training timestep 1 … num_train_timesteps, in float32. */
  #trainingSigma(timestep: number): number {
    const sigma = fround(timestep / this.#numTrainTimesteps)
    if (this.#dynamicShifting) return sigma
    const divisor = fround(1 + fround(fround(this.#shift - 1) * sigma))
    return fround(fround(this.#shift * sigma) / divisor)
  }

  #shifted<T extends Float32Array | Float64Array>(sigmas: T, mu: number | undefined): T {
    if (this.#dynamicShifting) {
      if (mu === undefined) {
        throw new PregenError(
          'E_SCHEDULER_CONFLICT',
          'use_dynamic_shifting needs a model whose pipeline computes mu',
        )
      }
      shiftByMu(sigmas, mu, this.#timeShiftType)
    } else {
      shiftSigmas(sigmas, this.#shift)
    }
    if (this.#shiftTerminal) stretchToTerminal(sigmas, this.#shiftTerminal)
    return sigmas
  }

  #spaced(sigmas: Float32Array | Float64Array): Float32Array | Float64Array {
    if (this.#spacing === null) return sigmas
    const min = optionalNumberOf(this.config, 'sigma_min') ?? sigmas[sigmas.length - 1]!
    const max = optionalNumberOf(this.config, 'sigma_max') ?? sigmas[0]!
    return spaceSigmas(this.#spacing, min, max, sigmas.length)
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
    const nextSigma = this.#levels[callIndex + 1]!
    const denoised = this.denoised
    for (let i = 0; i < sample.length; i++) denoised[i] = sample[i]! - fround(sigma * modelOutput[i]!)
    if (this.stochastic) {
      const noise = this.#noise
      drawNoise(noise)
      const keep = fround(1 - nextSigma)
      for (let i = 0; i < sample.length; i++) {
        sample[i] = fround(keep * denoised[i]!) + fround(nextSigma * noise[i]!)
      }
      return denoised
    }
    const dt = fround(nextSigma - sigma)
    for (let i = 0; i < sample.length; i++) sample[i] = sample[i]! + fround(dt * modelOutput[i]!)
    return denoised
  }

  override addNoise(
    original: Float32Array,
    noise: Float32Array,
    callIndex: number,
    half = false,
  ): Float32Array {
    const add = half ? addFlowNoiseInHalf : addFlowNoise
    return add(original, noise, this.#levels[callIndex]!)
  }
}
