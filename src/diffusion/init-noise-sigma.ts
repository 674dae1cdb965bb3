import type { TimestepSpacing } from './timestep-spacing.ts'

const fround = Math.fround

/**
 * The deviation of the first latents of a scheduler that works with σ: the largest σ. With `leading` spacing, where
 * the first σ is below the model's largest, √(σ² + 1).
 */
export function initNoiseSigmaOf(levels: Float32Array, spacing: TimestepSpacing): number {
  let max = 0
  for (const level of levels) max = Math.max(max, level)
  return spacing === 'leading' ? fround(Math.sqrt(fround(fround(max * max) + 1))) : max
}
