/** Guidance by two calls of the denoiser, each with its own texts, whatever their lengths. */
import type { Predict } from './denoiser.ts'

/** Makes one prediction of two; may write into `out`, which is `negative`'s own memory. */
export type Combine = (negative: Float32Array, positive: Float32Array, out: Float32Array) => Float32Array

export interface TwoCallsOptions {
  readonly positive: Predict
  readonly negative: Predict
  readonly combine: Combine
  /** Whether the step at this timestep is guided; default: all are. */
  readonly isGuided?: (timestep: number) => boolean
}

export function predictTwice({
  positive,
  negative,
  combine,
  isGuided = () => true,
}: TwoCallsOptions): Predict {
  let kept = new Float32Array(0)
  return async (latents, timestep) => {
    if (!isGuided(timestep)) return positive(latents, timestep)
    const first = await negative(latents, timestep)
    // The session's next run overwrites what this one gave.
    if (kept.length !== first.length) kept = new Float32Array(first.length)
    kept.set(first)
    return combine(kept, await positive(latents, timestep), kept)
  }
}
