/** The noise schedule of one batch: which scheduler, with which settings, and where image-to-image enters it. */
import { createScheduler } from '../diffusion/create-scheduler.ts'
import { type StrengthRule, skippedSteps } from '../diffusion/img2img.ts'
import type {
  Scheduler,
  SchedulerConfig,
  SchedulerName,
  SetTimestepsOptions,
} from '../diffusion/scheduler.ts'
import { PregenError } from '../errors.ts'
import type { ModelFolder } from '../model/folder.ts'
import type { GenerateRequest } from './pipeline.ts'

export interface ScheduleRules {
  /** How strength picks the first step. */
  readonly slicing: StrengthRule
  /** What else the family passes to set_timesteps. */
  readonly options?: (config: SchedulerConfig) => SetTimestepsOptions
}

export interface Schedule {
  readonly scheduler: Scheduler
  /** Index into `scheduler.timesteps`. */
  readonly firstCall: number
}

/** @throws PregenError E_NO_STEPS when the strength leaves nothing to do, E_SCHEDULER_UNSUITED; whatever the scheduler refuses */
export function prepareSchedule(
  folder: ModelFolder,
  request: GenerateRequest,
  rules: ScheduleRules,
): Schedule {
  const { steps, denoiseStrength } = request
  const { name, config } = request.scheduler
  const scheduler = createScheduler(name, folderSchedulerConfig(folder, name, config), config)
  const strength = request.initImage === undefined ? undefined : (denoiseStrength ?? 1)
  const inScheduler = rules.slicing === 'in-scheduler' && strength !== undefined
  if (inScheduler && scheduler.name !== 'lcm') {
    throw new PregenError(
      'E_SCHEDULER_UNSUITED',
      `${scheduler.name} cannot take an LCM model's image-to-image strength.`,
      {
        help: 'Leave scheduler out, or name lcm.',
      },
    )
  }
  scheduler.setTimesteps(steps, {
    ...rules.options?.(scheduler.config),
    ...(inScheduler ? { strength } : {}),
  })

  if (strength === undefined || inScheduler) return { scheduler, firstCall: 0 }
  const skipped = skippedSteps(rules.slicing, steps, strength)
  const firstCall = skipped * scheduler.order
  if (firstCall >= scheduler.timesteps.length) {
    throw new PregenError(
      'E_NO_STEPS',
      `${steps} steps at denoise_strength ${strength} leave no step to execute.`,
      {
        help: `Raise denoise_strength to ${1 / steps} or more, or ask for more steps.`,
      },
    )
  }
  return { scheduler, firstCall }
}

/**
 * The folder's scheduler_config.json as the pipeline hands it on. diffusers' StableDiffusionPipeline mends old configs:
 * `steps_offset` becomes 1 and `clip_sample` false. A scheduler that is made anew from that config (a name or any key in
 * the sheet) keeps the mended values of the keys that the file has; its class's defaults stand in for the others.
 */
export function folderSchedulerConfig(
  folder: ModelFolder,
  name: SchedulerName | undefined,
  overrides: SchedulerConfig,
): SchedulerConfig {
  const config: SchedulerConfig = { ...folder.schedulerConfig, _class_name: folder.schedulerClass }
  if (folder.family !== 'sd') return config
  const madeAnew = name !== undefined || Object.keys(overrides).length > 0
  const mends = (key: string): boolean => !madeAnew || key in config
  return {
    ...config,
    ...(mends('steps_offset') ? { steps_offset: 1 } : {}),
    ...(mends('clip_sample') ? { clip_sample: false } : {}),
  }
}

/**
 * mu of the resolution-dependent shift, linear in the number of image tokens (diffusers' calculate_shift).
 * @param defaultMaxShift where the config has none: 1.15 for FLUX, 1.16 for SD3
 */
export function flowShift(config: SchedulerConfig, tokens: number, defaultMaxShift: number): number {
  const number = (key: string, otherwise: number): number => {
    const value = config[key]
    return typeof value === 'number' ? value : otherwise
  }
  const baseTokens = number('base_image_seq_len', 256)
  const maxTokens = number('max_image_seq_len', 4096)
  const baseShift = number('base_shift', 0.5)
  const slope = (number('max_shift', defaultMaxShift) - baseShift) / (maxTokens - baseTokens)
  return tokens * slope + (baseShift - slope * baseTokens)
}
