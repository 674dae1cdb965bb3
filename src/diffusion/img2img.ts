/** Where image-to-image enters a schedule, and how many steps that leaves. */
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

/**
 * The number of steps that image-to-image executes: at least 1.
 * @param originalInferenceSteps LCM's, of which it takes ⌊this · strength⌋ to choose n from
 * @throws PregenError E_STRENGTH, or E_NO_STEPS when nothing is left to execute
 */
export function executedSteps(
  rule: StrengthRule,
  numInferenceSteps: number,
  strength: number,
  originalInferenceSteps = 50,
): number {
  const executed = numInferenceSteps - skippedSteps(rule, numInferenceSteps, strength)
  if (executed < 1) {
    throw new PregenError(
      'E_NO_STEPS',
      `${numInferenceSteps} steps at denoise_strength ${strength} leave no step to execute`,
      { help: `Raise denoise_strength to ${1 / numInferenceSteps} or more, or ask for more steps.` },
    )
  }
  const available = Math.trunc(originalInferenceSteps * strength)
  if (rule === 'in-scheduler' && available < numInferenceSteps) {
    throw new PregenError(
      'E_NO_STEPS',
      `lcm has ${available} timesteps at denoise_strength ${strength}, fewer than the ${numInferenceSteps} steps asked for`,
      { help: 'Raise denoise_strength, or ask for fewer steps.' },
    )
  }
  return executed
}
