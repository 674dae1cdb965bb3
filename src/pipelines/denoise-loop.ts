/** The loop over a schedule: scale, predict, step, check, tell. */
import type { NoiseSource, Scheduler } from '../diffusion/scheduler.ts'
import { roundToHalves } from '../tensor/float16.ts'
import { drawingCancelled } from './cancelled.ts'
import type { Predict } from './denoiser.ts'
import type { GenerateHooks, LatentDims } from './pipeline.ts'
import { requireSound, stageError } from './stage.ts'
import type { StepClock } from './step-clock.ts'

export interface DenoiseOptions {
  readonly scheduler: Scheduler
  /** Index into `scheduler.timesteps` of the first evaluation: 0, or where image-to-image enters. */
  readonly firstCall: number
  /** In the layout that the model takes; denoised in place. */
  readonly latents: Float32Array
  readonly dims: LatentDims
  readonly predict: Predict
  readonly noise: NoiseSource
  /** Whether the latents are kept in half precision between steps, as in diffusers where the model's output is. */
  readonly half?: boolean
  /** Writes the model's layout in the order of `dims` into `out`; absent where they are the same. */
  readonly unpack?: (packed: Float32Array, out: Float32Array) => void
  /** Changes the latents in place after each call of the model. */
  readonly afterCall?: ((latents: Float32Array, call: number) => void) | null
  readonly hooks: GenerateHooks
  readonly clock: StepClock
}

/** @returns the duration of every executed step, in milliseconds */
export async function denoise(options: DenoiseOptions): Promise<number[]> {
  const { scheduler, firstCall, latents, dims, predict, noise, unpack, hooks, clock, half = false } = options
  const { afterCall = null } = options
  const scaled = new Float32Array(latents.length)
  const latentsView = unpack === undefined ? latents : new Float32Array(latents.length)
  const denoisedView = unpack === undefined ? null : new Float32Array(latents.length)
  const durations: number[] = []

  scheduler.begin(firstCall, latents.length, dims[0])
  const { timesteps, stepOfCall } = scheduler
  const skipped = stepOfCall[firstCall]! - 1
  const steps = stepOfCall.at(-1)! - skipped
  for (let call = firstCall; call < timesteps.length; call++) {
    if (hooks.shouldStop?.() === true) throw drawingCancelled()
    const step = stepOfCall[call]! - skipped
    try {
      scheduler.scaleModelInput(latents, call, scaled)
      const prediction = await predict(scaled, timesteps[call]!)
      const denoised = scheduler.step(prediction, call, latents, noise)
      if (half) roundToHalves(latents)
      afterCall?.(latents, call)
      requireSound(latents, 'The latents')
      if (stepOfCall[call + 1] === stepOfCall[call]) continue

      const durationMs = clock.lap()
      durations.push(durationMs)
      if (hooks.onStep === undefined) continue
      const info = {
        step,
        steps,
        callIndex: call,
        durationMs,
        dims,
        latents: latentsView,
        denoised: denoisedView ?? denoised,
      }
      await clock.pause(() => {
        unpack?.(latents, latentsView)
        if (denoisedView !== null) unpack?.(denoised, denoisedView)
        return hooks.onStep?.(info)
      })
    } catch (thrown) {
      throw stageError(`denoise step ${step}`, thrown)
    }
  }
  return durations
}
