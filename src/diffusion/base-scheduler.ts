/** What every scheduler shares: the schedule's state, the buffer for the predicted x0, and the defaults. */
import { PregenError } from '../errors.ts'
import {
  MAX_STEPS,
  type NoiseSource,
  type Scheduler,
  type SchedulerConfig,
  type SchedulerName,
  type SetTimestepsOptions,
} from './scheduler.ts'

export abstract class BaseScheduler implements Scheduler {
  readonly name: SchedulerName
  readonly config: SchedulerConfig
  readonly order: number = 1
  readonly stochastic: boolean = false
  timesteps: readonly number[] = []
  sigmas: readonly number[] | null = null
  initNoiseSigma = 1
  stepOfCall: readonly number[] = []

  /** The option of `setTimesteps` that this class honours beside `mu`. */
  protected readonly scheduleOption: 'sigmas' | 'strength' | null = null
  /** As asked for in `setTimesteps`. */
  protected numInferenceSteps = 0
  protected beginIndex = 0
  protected numElements = 0
  protected batchSize = 1
  /** The predicted x0 of the last call. */
  protected denoised: Float32Array = new Float32Array(0)

  /** @param config resolved: every key of the class present (see `resolveSchedulerConfig`) */
  constructor(name: SchedulerName, config: SchedulerConfig) {
    this.name = name
    this.config = config
  }

  setTimesteps(numInferenceSteps: number, options: SetTimestepsOptions = {}): void {
    if (!Number.isInteger(numInferenceSteps) || numInferenceSteps < 1 || numInferenceSteps > MAX_STEPS) {
      throw new PregenError(
        'E_SCHEDULER_STEPS',
        `steps must be a whole number from 1 to ${MAX_STEPS}, got ${numInferenceSteps}`,
      )
    }
    this.requireOption('sigmas', options.sigmas)
    this.requireOption('strength', options.strength)
    this.numInferenceSteps = numInferenceSteps
    this.beginIndex = 0
    this.buildSchedule(numInferenceSteps, options)
    this.stepOfCall = this.numberSteps(0)
  }

  begin(beginIndex: number, numElements: number, batchSize = 1): void {
    if (!Number.isInteger(beginIndex) || beginIndex < 0 || beginIndex >= this.timesteps.length) {
      throw new RangeError(`a trajectory begins at 0 … ${this.timesteps.length - 1}, got ${beginIndex}`)
    }
    if (numElements % batchSize !== 0) {
      throw new RangeError(`${numElements} values are not ${batchSize} equal samples`)
    }
    this.beginIndex = beginIndex
    this.stepOfCall = this.numberSteps(beginIndex)
    this.batchSize = batchSize
    if (this.numElements !== numElements) {
      this.numElements = numElements
      this.denoised = new Float32Array(numElements)
      this.allocate(numElements)
    }
    this.resetHistory()
  }

  scaleModelInput(sample: Float32Array, _callIndex: number, out: Float32Array): void {
    if (out !== sample) out.set(sample)
  }

  abstract step(
    modelOutput: Float32Array,
    callIndex: number,
    sample: Float32Array,
    noise: NoiseSource,
  ): Float32Array

  abstract addNoise(
    original: Float32Array,
    noise: Float32Array,
    callIndex: number,
    half?: boolean,
  ): Float32Array

  /** `sigmas` and `strength` change the picture, so a scheduler that cannot honour them refuses them. */
  private requireOption(option: 'sigmas' | 'strength', value: unknown): void {
    if (value === undefined || this.scheduleOption === option) return
    throw new PregenError('E_SCHEDULER_CONFLICT', `${this.name} cannot build its schedule from ${option}`, {
      help: `Use ${option === 'sigmas' ? 'flow-match-euler' : 'lcm'} with this model.`,
    })
  }

  /** Sets `timesteps`, `sigmas` and `initNoiseSigma`. */
  protected abstract buildSchedule(numInferenceSteps: number, options: SetTimestepsOptions): void

  /** Buffers that live as long as the trajectory, beyond `denoised`. */
  protected allocate(_numElements: number): void {}

  /** Forgets all earlier calls. */
  protected resetHistory(): void {}

  /**
   * The step of each call. One call a step, except that `trailing` spacing runs one call over where rounding makes
   * its schedule one longer; that call belongs to the last step.
   */
  protected numberSteps(_beginIndex: number): number[] {
    return this.timesteps.map((_, call) => Math.min(call + 1, this.numInferenceSteps))
  }
}
