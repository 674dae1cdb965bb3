/** `exact_copy_mode`: image-to-image that hardly changes the picture. */
import { MAX_STEPS } from '../diffusion/scheduler.ts'
import { familyOf } from '../families/index.ts'
import type { ModelFacts } from './model-facts.ts'

/** It never denoises more than this. */
export const EXACT_COPY_STRENGTH = 0.05

/** diffusers' default of LCM's `original_inference_steps`. */
const LCM_ORIGINAL_STEPS = 50

/**
 * Steps to ask for: min(max(6, int(strength × 100)), 10), of which SD3 and FLUX execute one. Stable Diffusion and
 * SDXL would execute ⌊6 × 0.05⌋ = 0 of them, so they ask for as many as it takes to execute one; LCM's shortened
 * schedule has room for fewer.
 * @param strength at most EXACT_COPY_STRENGTH
 */
export function exactCopySteps({ family, schedulerConfig }: ModelFacts, strength: number): number {
  const steps = Math.min(Math.max(6, Math.trunc(strength * 100)), 10)
  const rule = familyOf(family).schedule.strength
  if (rule === 'floor-kept') return Math.max(steps, stepsThatExecuteOne(strength))
  if (rule === 'floor-start') return steps
  const { original_inference_steps: original } = schedulerConfig
  const room = Math.trunc((typeof original === 'number' ? original : LCM_ORIGINAL_STEPS) * strength)
  return Math.max(1, Math.min(steps, room))
}

/** The smallest n with ⌊n·strength⌋ ≥ 1. */
function stepsThatExecuteOne(strength: number): number {
  const steps = Math.ceil(1 / strength)
  return Math.min(MAX_STEPS, steps * strength < 1 ? steps + 1 : steps)
}
