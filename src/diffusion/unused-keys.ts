/** Keys that a class has but that change nothing beside the other settings. */
import type { SchedulerConfig, SchedulerName } from './scheduler.ts'

interface UnusedKeys {
  readonly keys: readonly string[]
  /** undefined: every scheduler that has the keys. */
  readonly names?: readonly SchedulerName[]
  readonly unused: (config: SchedulerConfig) => boolean
  /** Continues "… has no effect". */
  readonly why: string
}

const DPM_NAMES: readonly SchedulerName[] = ['dpm++2m', 'dpm++2m-sde']
const SPACING_KEYS = ['use_karras_sigmas', 'use_exponential_sigmas', 'use_beta_sigmas']

const isOff =
  (key: string) =>
  (config: SchedulerConfig): boolean =>
    config[key] === false
const isSpaced = (config: SchedulerConfig): boolean => SPACING_KEYS.some((key) => config[key] === true)
const ignoresTimesteps = (config: SchedulerConfig): boolean =>
  isSpaced(config) || config.use_lu_lambdas === true || config.use_flow_sigmas === true

const RULES: readonly UnusedKeys[] = [
  {
    names: ['lcm', 'tcd'],
    keys: ['timestep_spacing', 'steps_offset', 'set_alpha_to_one'],
    unused: () => true,
    why: 'with lcm and tcd, whose timesteps follow from original_inference_steps',
  },
  {
    names: ['tcd'],
    keys: [
      ...['clip_sample', 'clip_sample_range', 'timestep_scaling'],
      ...['thresholding', 'dynamic_thresholding_ratio', 'sample_max_value'],
    ],
    unused: () => true,
    why: 'with tcd, which takes over the keys of lcm and reads none of these',
  },
  {
    names: DPM_NAMES,
    keys: ['variance_type'],
    unused: () => true,
    why: 'with a model that predicts no variance',
  },
  {
    keys: ['clip_sample_range'],
    unused: (config) => config.clip_sample === false || config.thresholding === true,
    why: 'unless clip_sample is true and thresholding false',
  },
  { keys: ['clip_sample'], unused: (config) => config.thresholding === true, why: 'beside thresholding' },
  {
    keys: ['dynamic_thresholding_ratio', 'sample_max_value'],
    unused: isOff('thresholding'),
    why: 'unless thresholding is true',
  },
  {
    names: [...DPM_NAMES, 'unipc'],
    keys: ['timestep_spacing', 'lambda_min_clipped'],
    unused: ignoresTimesteps,
    why: 'beside use_karras_sigmas and the like, which place the timesteps themselves',
  },
  {
    keys: ['steps_offset'],
    unused: (config) => config.timestep_spacing !== 'leading',
    why: 'unless timestep_spacing is leading',
  },
  {
    names: ['euler', 'unipc'],
    keys: ['sigma_min', 'sigma_max'],
    unused: (config) => !isSpaced(config),
    why: 'unless use_karras_sigmas, use_exponential_sigmas or use_beta_sigmas is true',
  },
  {
    names: ['euler'],
    keys: ['timestep_type'],
    unused: (config) => config.prediction_type !== 'v_prediction',
    why: 'unless prediction_type is v_prediction',
  },
  {
    names: ['euler'],
    keys: ['s_noise', 's_tmin', 's_tmax'],
    unused: (config) => config.s_churn === 0,
    why: 'unless s_churn is above 0',
  },
  {
    keys: ['flow_shift'],
    unused: (config) =>
      config.use_flow_sigmas === false || isSpaced(config) || config.use_lu_lambdas === true,
    why: 'unless use_flow_sigmas is true, without spaced sigmas',
  },
  {
    names: [...DPM_NAMES, 'unipc'],
    keys: ['use_dynamic_shifting'],
    unused: isOff('use_flow_sigmas'),
    why: 'unless use_flow_sigmas is true',
  },
  {
    names: ['flow-match-euler'],
    keys: ['shift'],
    unused: (config) => config.use_dynamic_shifting === true,
    why: 'beside use_dynamic_shifting',
  },
  {
    keys: ['base_shift', 'max_shift', 'base_image_seq_len', 'max_image_seq_len', 'time_shift_type'],
    unused: isOff('use_dynamic_shifting'),
    why: 'unless use_dynamic_shifting is true',
  },
  {
    keys: ['beta_start', 'beta_end'],
    unused: ({ trained_betas: betas, beta_schedule: schedule }) =>
      betas !== null || !['linear', 'scaled_linear', 'sigmoid'].includes(String(schedule)),
    why: 'with this beta_schedule, or beside trained_betas',
  },
  {
    keys: ['beta_schedule'],
    unused: (config) => config.trained_betas !== null,
    why: 'beside trained_betas',
  },
]

/** Why a key of a resolved config has no effect, or null where it has one. */
export function whyUnused(name: SchedulerName, config: SchedulerConfig, key: string): string | null {
  const rule = RULES.find(
    ({ names, keys, unused }) =>
      keys.includes(key) && (names === undefined || names.includes(name)) && unused(config),
  )
  return rule?.why ?? null
}
