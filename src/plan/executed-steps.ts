/** How many of the steps asked for image-to-image executes: diffusers' get_timesteps, family by family. */
import type { Family } from './model-facts.ts'

/**
 * - Stable Diffusion, SDXL: ⌊n·strength⌋
 * - SD3, FLUX: n − ⌊n − n·strength⌋
 * - LCM: n, over a schedule that strength has shortened
 *
 * @param strength 0 … 1; undefined: text-to-image, which executes all
 */
export function countExecutedSteps(family: Family, steps: number, strength: number | undefined): number {
  if (strength === undefined || family === 'lcm') return steps
  const kept = Math.min(steps * strength, steps)
  if (family === 'sd3' || family === 'flux') return steps - Math.floor(Math.max(steps - kept, 0))
  return Math.trunc(kept)
}
