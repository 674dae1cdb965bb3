/** What pipelines of flow-matching models hand to their scheduler. */
import type { SchedulerConfig } from '../diffusion/scheduler.ts'
import type { ScheduleShape } from './family.ts'

/**
 * mu of the resolution-dependent shift, linear in the number of image tokens (diffusers' calculate_shift).
 * @param defaultMaxShift where the config has none: 1.15 for FLUX, 1.16 for SD3
 */
export function flowShift(config: SchedulerConfig, imageTokens: number, defaultMaxShift: number): number {
  const number = (key: string, otherwise: number): number => {
    const value = config[key]
    return typeof value === 'number' ? value : otherwise
  }
  const baseTokens = number('base_image_seq_len', 256)
  const maxTokens = number('max_image_seq_len', 4096)
  const baseShift = number('base_shift', 0.5)
  const slope = (number('max_shift', defaultMaxShift) - baseShift) / (maxTokens - baseTokens)
  return imageTokens * slope + (baseShift - slope * baseTokens)
}

/** n values from 1 down to 1/n, as numpy.linspace spaces them. */
function descendingSigmas(steps: number): number[] {
  const last = 1 / steps
  const spacing = steps > 1 ? (last - 1) / (steps - 1) : 0
  return Array.from({ length: steps }, (_, index) =>
    index > 0 && index === steps - 1 ? last : index * spacing + 1,
  )
}

/** The sigmas that diffusers' pipelines hand over, unless the scheduler's config says that it makes its own. */
export function sigmasUnlessOwn(config: SchedulerConfig, steps: number): { readonly sigmas?: number[] } {
  return config.use_flow_sigmas === true ? {} : { sigmas: descendingSigmas(steps) }
}

/**
 * Chroma's and Qwen-Image's pipelines hand them over whatever the scheduler. Of those that make their own UniPC takes them,
 * and where diffusers fails (DPM-Solver) the scheduler's own stand.
 */
export function sigmasWhereTaken(
  config: SchedulerConfig,
  { scheduler, steps }: ScheduleShape,
): { readonly sigmas?: number[] } {
  return scheduler === 'unipc' ? { sigmas: descendingSigmas(steps) } : sigmasUnlessOwn(config, steps)
}

/**
 * n values from 1 down to 1/n as torch.linspace spaces them in float32: from both ends towards the middle (ATen,
 * RangeFactoriesKernel.cpp), each product and sum rounded once.
 */
export function descendingFloats(steps: number): number[] {
  if (steps === 1) return [1]
  const last = Math.fround(1 / steps)
  const step = Math.fround(Math.fround(last - 1) / (steps - 1))
  const half = Math.floor(steps / 2)
  return Array.from({ length: steps }, (_, i) =>
    i < half ? Math.fround(1 + step * i) : Math.fround(last - step * (steps - i - 1)),
  )
}
