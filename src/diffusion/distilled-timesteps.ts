/** The schedule of models distilled into few steps (LCM, TCD). */
import { PregenError } from '../errors.ts'

export interface DistilledSchedule {
  readonly trainTimesteps: number
  /** `original_inference_steps`: what the model was distilled on. */
  readonly originalSteps: number
  /** The part of them that image-to-image leaves, 0 … 1. */
  readonly strength: number
}

/**
 * Every k-th timestep that the model was distilled on, up to `strength`, thinned out to `count`.
 * @throws PregenError E_SCHEDULER_STEPS when `strength` leaves fewer than `count`
 */
export function distilledTimesteps(
  count: number,
  { trainTimesteps, originalSteps, strength }: DistilledSchedule,
): number[] {
  const stride = Math.floor(trainTimesteps / originalSteps)
  const available = Math.trunc(originalSteps * strength)
  if (available < count) {
    throw new PregenError(
      'E_SCHEDULER_STEPS',
      `${count} steps at strength ${strength} are more than the ${available} that original_inference_steps leaves`,
      { help: 'Ask for fewer steps, or raise denoise_strength or original_inference_steps.' },
    )
  }
  const interval = available / count
  return Array.from({ length: count }, (_, i) => (available - Math.floor(i * interval)) * stride - 1)
}
