/** Where image-to-image enters a schedule. */
import { PregenError } from '../errors.ts'

/**
 * How a pipeline of diffusers reads strength:
 * - `floor-kept`: Stable Diffusion and SDXL keep ⌊n·strength⌋ steps
 * - `floor-start`: SD3 and FLUX skip ⌊n − n·strength⌋ steps
 * - `in-scheduler`: LCM builds a shorter schedule of n steps and skips none
 */
export type StrengthRule = 'floor-kept' | 'floor-start' | 'in-scheduler'

/**
 * The number of steps that are skipped, 0 … n, in the pipelines' own double arithmetic. The first evaluation is at
 * this number times `scheduler.order`.
 * @throws PregenError E_STRENGTH when strength is not within 0 … 1
 */
export function skippedSteps(rule: StrengthRule, numInferenceSteps: number, strength: number): number {
  if (!(strength >= 0 && strength <= 1)) {
    throw new PregenError('E_STRENGTH', `denoise_strength must be from 0 to 1, got ${strength}`)
  }
  const kept = numInferenceSteps * strength
  switch (rule) {
    case 'floor-kept':
      return Math.max(numInferenceSteps - Math.min(Math.trunc(kept), numInferenceSteps), 0)
    case 'floor-start':
      return Math.trunc(Math.max(numInferenceSteps - Math.min(kept, numInferenceSteps), 0))
    case 'in-scheduler':
      return 0
  }
}
