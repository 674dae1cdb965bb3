/**
 * The stepping algorithm of a diffusion model, in diffusers' sense of the word.
 *
 * A scheduler is made for one model and one trajectory. It owns its buffers: they are allocated when the
 * trajectory starts and reused at every call, so nothing grows with the number of steps.
 */

/** The most steps that a schedule may have. */
export const MAX_STEPS = 1000

export const SCHEDULER_NAMES = [
  'flow-match-euler',
  'euler',
  'euler-ancestral',
  'heun',
  'dpm++2m',
  'dpm++2m-sde',
  'ddim',
  'ddpm',
  'pndm',
  'lcm',
  'tcd',
  'unipc',
] as const

export type SchedulerName = (typeof SCHEDULER_NAMES)[number]

/** The keys of a diffusers `scheduler_config.json`, as read from the folder and overridden by the sheet. */
export type SchedulerConfig = Readonly<Record<string, unknown>>

export interface SetTimestepsOptions {
  /** Custom sigmas (FLUX: linspace(1, 1/n, n)), flow matching only. */
  readonly sigmas?: readonly number[]
  /** Resolution-dependent shift of FLUX-like models with `use_dynamic_shifting`. */
  readonly mu?: number
  /** Image-to-image strength in (0, 1]; only LCM takes it here (it builds a shorter schedule and slices nothing). */
  readonly strength?: number
}

/** Fills `out` with standard normals from the unit's own generator(s). */
export type NoiseSource = (out: Float32Array) => void

export interface Scheduler {
  readonly name: SchedulerName
  /** Class defaults, overlaid with the folder's config and the sheet's overrides: what decides the trajectory. */
  readonly config: SchedulerConfig
  /** Timesteps as fed to the model, one per model evaluation, in order. Valid after `setTimesteps`. */
  readonly timesteps: readonly number[]
  /** Noise levels as diffusers' `scheduler.sigmas` lists them, or null for classes that have none. */
  readonly sigmas: readonly number[] | null
  /** The standard deviation of text-to-image's initial latents. Valid after `setTimesteps`. */
  readonly initNoiseSigma: number
  /**
   * Model evaluations per step where diffusers' `scheduler.order` says so (Heun: 2; all others: 1).
   * Image-to-image starts at the evaluation `tStart * order`.
   */
  readonly order: number
  /**
   * The step (from 1) that each entry of `timesteps` belongs to. Extra evaluations belong to the step that they
   * finish (Heun's second evaluation; PNDM's repeated timestep). Counted over the whole schedule.
   */
  readonly stepOfCall: readonly number[]
  /** Whether `step` draws noise (ancestral, SDE, DDPM, LCM, DDIM with eta > 0). */
  readonly stochastic: boolean

  /**
   * Builds the schedule.
   * @param numInferenceSteps 1 … 1000
   */
  setTimesteps(numInferenceSteps: number, options?: SetTimestepsOptions): void
  /**
   * Starts a trajectory at `beginIndex` (0 = text-to-image; image-to-image: tStart * order), for latents of
   * `numElements` values in `batchSize` equal samples. Allocates; clears all history. Must be called before `step`.
   */
  begin(beginIndex: number, numElements: number, batchSize?: number): void
  /** The model's input for the evaluation `callIndex`, written to `out` (may be the same array as `sample`). */
  scaleModelInput(sample: Float32Array, callIndex: number, out: Float32Array): void
  /**
   * One evaluation: replaces `sample` in place by the previous (less noisy) sample.
   * @param modelOutput the guided model output, same length as `sample`; may be overwritten as scratch
   * @returns the predicted x0 ("denoised") in a buffer that the next call overwrites
   */
  step(modelOutput: Float32Array, callIndex: number, sample: Float32Array, noise: NoiseSource): Float32Array
  /**
   * Image-to-image's starting point: `original` noised to the level of evaluation `callIndex`
   * (flow matching: σ·noise + (1 − σ)·original; others: as `scheduler.add_noise`). Returns a new array.
   * @param half both arrays hold half-precision values; where diffusers then rounds ᾱ to halves, which matters when ᾱ
   *   is close to 1, so does this
   */
  addNoise(original: Float32Array, noise: Float32Array, callIndex: number, half?: boolean): Float32Array
}
