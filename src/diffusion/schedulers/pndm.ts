/**
 * Pseudo linear multistep (Adams–Bashforth) steps, started by pseudo Runge–Kutta steps or, with `skip_prk_steps`, by
 * evaluating the first step twice. Liu et al., "Pseudo Numerical Methods for Diffusion Models on Manifolds", 2022;
 * diffusers' PNDMScheduler.
 */
import { PregenError } from '../../errors.ts'
import { AlphaScheduler } from '../alpha-scheduler.ts'
import { booleanOf, choiceOf } from '../config-keys.ts'
import { sqrt32 } from '../float32.ts'
import { ALPHA_PREDICTIONS, predictFromAlpha } from '../predict.ts'
import type { NoiseSource } from '../scheduler.ts'

const fround = Math.fround

const HISTORY = 4
/** Three Runge–Kutta steps of four evaluations each. */
const PRK_STEPS = 3
const PRK_CALLS = 4 * PRK_STEPS

const SIXTH = fround(1 / 6)
const THIRD = fround(1 / 3)
const TWENTY_FOURTH = fround(1 / 24)

export class PndmScheduler extends AlphaScheduler {
  readonly #predictionType = choiceOf(this.config, 'prediction_type', ALPHA_PREDICTIONS)
  readonly #skipPrk = booleanOf(this.config, 'skip_prk_steps')
  readonly #finalAlpha = booleanOf(this.config, 'set_alpha_to_one') ? 1 : this.alphasCumprod[0]!
  /** Model outputs of finished steps, the latest first; `#known` of them are set. */
  #history: Float32Array[] = []
  #known = 0
  /** The sample that the running step started from. */
  #start: Float32Array = new Float32Array(0)
  /** Weighted sum of a Runge–Kutta step's evaluations, or of the history. */
  #slope: Float32Array = new Float32Array(0)

  protected override buildSchedule(count: number): void {
    const descending = this.spacedTimesteps(count)
    if (this.#skipPrk) {
      this.timesteps =
        descending.length === 1 ? descending : [...descending.slice(0, 2), ...descending.slice(1)]
      return
    }
    if (count <= PRK_STEPS) {
      throw new PregenError('E_SCHEDULER_STEPS', `pndm needs ${PRK_STEPS + 1} steps or more, got ${count}`, {
        help: 'Ask for more steps, or set skip_prk_steps to true.',
      })
    }
    const half = Math.floor(Math.floor(this.numTrainTimesteps / count) / 2)
    const prk: number[] = []
    for (let step = 0; step < PRK_STEPS; step++) {
      const next = descending[step + 1]!
      prk.push(descending[step]!, next + half, next + half, next)
    }
    this.timesteps = [...prk, ...descending.slice(PRK_STEPS)]
  }

  /**
   * The start-up counts from where the trajectory begins: the second evaluation repeats its first step, or the first
   * twelve are three Runge–Kutta steps.
   */
  protected override numberSteps(beginIndex: number): number[] {
    return this.timesteps.map((_, callIndex) => {
      const call = callIndex - beginIndex
      if (call < 0) return callIndex + 1
      const finished = this.#skipPrk
        ? Math.max(call - 1, 0)
        : call < PRK_CALLS
          ? call >> 2
          : call - PRK_CALLS + PRK_STEPS
      return Math.min(beginIndex + finished + 1, this.numInferenceSteps)
    })
  }

  protected override allocate(numElements: number): void {
    this.#history = Array.from({ length: HISTORY }, () => new Float32Array(numElements))
    this.#start = new Float32Array(numElements)
    this.#slope = new Float32Array(numElements)
  }

  protected override resetHistory(): void {
    this.#known = 0
    this.#slope.fill(0)
  }

  override step(
    modelOutput: Float32Array,
    callIndex: number,
    sample: Float32Array,
    _noise: NoiseSource,
  ): Float32Array {
    const timestep = this.timesteps[callIndex]!
    const alphaBar = this.alphaAt(timestep)
    const sigma = sqrt32(fround(1 - alphaBar))
    const evaluation = { modelOutput, sample, out: this.denoised }
    predictFromAlpha(this.#predictionType, evaluation, { alpha: sqrt32(alphaBar), sigma })
    const call = callIndex - this.beginIndex
    if (!this.#skipPrk && call < PRK_CALLS) this.#stepRungeKutta(modelOutput, call, timestep, sample)
    else this.#stepMultistep(modelOutput, call, timestep, sample)
    return this.denoised
  }

  #stepRungeKutta(modelOutput: Float32Array, call: number, timestep: number, sample: Float32Array): void {
    const interval = Math.floor(this.numTrainTimesteps / this.numInferenceSteps)
    const previous = timestep - (call % 2 === 0 ? Math.floor(interval / 2) : 0)
    const stage = call % 4
    const slope = this.#slope
    if (stage === 0) {
      this.#remember(modelOutput)
      this.#start.set(sample)
      slope.fill(0)
    }
    const weight = stage === 0 || stage === 3 ? SIXTH : THIRD
    for (let i = 0; i < slope.length; i++) slope[i] = slope[i]! + fround(weight * modelOutput[i]!)
    const output = stage === 3 ? slope : modelOutput
    this.#transfer(this.#start, [this.timesteps[call - stage]!, previous], output, sample)
  }

  #stepMultistep(modelOutput: Float32Array, call: number, timestep: number, sample: Float32Array): void {
    const interval = Math.floor(this.numTrainTimesteps / this.numInferenceSteps)
    const slope = this.#slope
    if (call === 1) {
      const [latest] = this.#history
      for (let i = 0; i < slope.length; i++) slope[i] = fround(modelOutput[i]! + latest![i]!) / 2
      this.#transfer(this.#start, [timestep + interval, timestep], slope, sample)
      return
    }
    this.#remember(modelOutput)
    if (this.#known === 1) this.#start.set(sample)
    this.#extrapolate()
    this.#transfer(sample, [timestep, timestep - interval], slope, sample)
  }

  /** Adams–Bashforth of the order that the history allows, 1 … 4, into `#slope`. */
  #extrapolate(): void {
    const slope = this.#slope
    const [e1, e2, e3, e4] = this.#history
    switch (this.#known) {
      case 1:
        slope.set(e1!)
        return
      case 2:
        for (let i = 0; i < slope.length; i++) slope[i] = fround(fround(3 * e1![i]!) - e2![i]!) / 2
        return
      case 3:
        for (let i = 0; i < slope.length; i++) {
          const two = fround(fround(23 * e1![i]!) - fround(16 * e2![i]!))
          slope[i] = fround(two + fround(5 * e3![i]!)) / 12
        }
        return
      default:
        for (let i = 0; i < slope.length; i++) {
          const two = fround(fround(55 * e1![i]!) - fround(59 * e2![i]!))
          const three = fround(two + fround(37 * e3![i]!))
          slope[i] = TWENTY_FOURTH * fround(three - fround(9 * e4![i]!))
        }
    }
  }

  #remember(modelOutput: Float32Array): void {
    const oldest = this.#history.pop()!
    oldest.set(modelOutput)
    this.#history.unshift(oldest)
    this.#known = Math.min(this.#known + 1, HISTORY)
  }

  /** Liu et al. 2022, eq. 11: from `timestep` to `previous` along `output`. `from` and `to` may be one array. */
  #transfer(
    from: Float32Array,
    [timestep, previous]: readonly [number, number],
    output: Float32Array,
    to: Float32Array,
  ): void {
    const alphaBar = this.alphaAt(timestep)
    const nextAlphaBar = previous >= 0 ? this.alphaAt(previous) : this.#finalAlpha
    const betaBar = fround(1 - alphaBar)
    const nextBetaBar = fround(1 - nextAlphaBar)
    const scale = sqrt32(fround(nextAlphaBar / alphaBar))
    const gap = fround(nextAlphaBar - alphaBar)
    const divisor = fround(
      fround(alphaBar * sqrt32(nextBetaBar)) + sqrt32(fround(fround(alphaBar * betaBar) * nextAlphaBar)),
    )
    if (this.#predictionType === 'v_prediction') {
      const alpha = sqrt32(alphaBar)
      const sigma = sqrt32(betaBar)
      for (let i = 0; i < to.length; i++) {
        const epsilon = fround(fround(alpha * output[i]!) + fround(sigma * from[i]!))
        to[i] = fround(scale * from[i]!) - fround(fround(gap * epsilon) / divisor)
      }
      return
    }
    for (let i = 0; i < to.length; i++) {
      to[i] = fround(scale * from[i]!) - fround(fround(gap * output[i]!) / divisor)
    }
  }
}
