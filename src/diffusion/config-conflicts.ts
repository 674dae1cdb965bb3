/** Settings that are right each by itself and cannot work together; diffusers raises, or gives NaN. */
import { PregenError } from '../errors.ts'
import type { SchedulerConfig, SchedulerName } from './scheduler.ts'

interface Rule {
  /** undefined: every scheduler that has the keys. */
  readonly names?: readonly SchedulerName[]
  readonly broken: (config: SchedulerConfig) => boolean
  readonly message: string
  readonly help: string
}

const DPM_NAMES: readonly SchedulerName[] = ['dpm++2m', 'dpm++2m-sde']
const SPACING_KEYS = ['use_karras_sigmas', 'use_exponential_sigmas', 'use_beta_sigmas']

const isLearned = ({ variance_type: type }: SchedulerConfig) => type === 'learned' || type === 'learned_range'
const isNoiseSolver = ({ algorithm_type: type }: SchedulerConfig) =>
  type === 'dpmsolver' || type === 'sde-dpmsolver'
const endsAtZero = ({ final_sigmas_type: type }: SchedulerConfig) => type === 'zero'

/** A flow knows σ up to 1; spaced sigmas start at the training schedule's largest, which is above it. */
function reachesBeyondFlow(config: SchedulerConfig, spacingKeys: readonly string[]): boolean {
  const { use_flow_sigmas: flow, sigma_max: max } = config
  return (
    flow === true && spacingKeys.some((key) => config[key] === true) && !(typeof max === 'number' && max < 1)
  )
}

const RULES: readonly Rule[] = [
  {
    broken: (config) => SPACING_KEYS.filter((key) => config[key] === true).length > 1,
    message: 'use_karras_sigmas, use_exponential_sigmas and use_beta_sigmas exclude one another',
    help: 'Set at most one of them to true.',
  },
  {
    broken: ({ trained_betas: betas, num_train_timesteps: count }) =>
      Array.isArray(betas) && betas.length !== count,
    message: 'trained_betas must have num_train_timesteps values',
    help: 'Give one beta for each training timestep, or set trained_betas to null.',
  },
  {
    names: DPM_NAMES,
    broken: (config) => isNoiseSolver(config) && endsAtZero(config),
    message: 'algorithm_type dpmsolver and sde-dpmsolver cannot end at sigma 0',
    help: 'Set final_sigmas_type to sigma_min, or algorithm_type to dpmsolver++ or sde-dpmsolver++.',
  },
  {
    names: DPM_NAMES,
    broken: (config) => config.algorithm_type === 'sde-dpmsolver' && config.solver_order === 3,
    message: 'algorithm_type sde-dpmsolver has no third order',
    help: 'Set solver_order to 1 or 2, or algorithm_type to sde-dpmsolver++.',
  },
  {
    names: DPM_NAMES,
    broken: (config) => isNoiseSolver(config) && config.prediction_type === 'flow_prediction',
    message: 'algorithm_type dpmsolver and sde-dpmsolver cannot use flow_prediction',
    help: 'Set algorithm_type to dpmsolver++ or sde-dpmsolver++.',
  },
  {
    names: DPM_NAMES,
    broken: (config) => isLearned(config) && config.prediction_type === 'epsilon',
    message: 'models that predict a variance beside the noise are not supported',
    help: 'Set variance_type to null if the model predicts the noise alone.',
  },
  {
    names: DPM_NAMES,
    broken: (config) => reachesBeyondFlow(config, [...SPACING_KEYS, 'use_lu_lambdas']),
    message: 'use_flow_sigmas cannot be combined with sigmas spaced over the range of a diffusion model',
    help: 'Set use_flow_sigmas, or use_karras_sigmas and its siblings, to false.',
  },
  {
    names: ['unipc'],
    broken: (config) => reachesBeyondFlow(config, ['use_exponential_sigmas', 'use_beta_sigmas']),
    message: 'use_flow_sigmas cannot be combined with exponential or beta sigmas',
    help: 'Use use_karras_sigmas with it, or none.',
  },
  {
    names: ['ddpm'],
    broken: isLearned,
    message: 'models that predict a variance beside the noise are not supported',
    help: 'Set variance_type to fixed_small or fixed_large if the model predicts the noise alone.',
  },
  {
    names: ['ddpm'],
    broken: (config) => config.variance_type === 'fixed_large_log',
    message: 'variance_type fixed_large_log takes the root of a negative number',
    help: 'Set variance_type to fixed_large or fixed_small_log.',
  },
  {
    names: ['unipc'],
    broken: (config) => Boolean(config.shift_terminal) && config.use_flow_sigmas !== true,
    message: 'shift_terminal needs use_flow_sigmas',
    help: 'Set use_flow_sigmas to true, or shift_terminal to null.',
  },
  {
    names: ['unipc'],
    broken: (config) => config.solver_type === 'bh1' && endsAtZero(config),
    message: 'solver_type bh1 cannot end at sigma 0: its last step is not a number',
    help: 'Set final_sigmas_type to sigma_min, or solver_type to bh2.',
  },
  {
    names: ['unipc'],
    broken: (config) => config.predict_x0 === false && endsAtZero(config),
    message: 'predict_x0: false cannot end at sigma 0: its last step is not a number',
    help: 'Set final_sigmas_type to sigma_min, or predict_x0 to true.',
  },
  {
    names: ['unipc'],
    broken: (config) => config.predict_x0 === false && config.prediction_type === 'flow_prediction',
    message: 'predict_x0: false cannot use flow_prediction',
    help: 'Set predict_x0 to true.',
  },
  {
    names: ['unipc'],
    broken: (config) => config.lower_order_final === false && config.solver_order !== 1 && endsAtZero(config),
    message: 'lower_order_final: false cannot end at sigma 0: the last step is not a number',
    help: 'Set final_sigmas_type to sigma_min, or lower_order_final to true.',
  },
]

/** @param config every key of the class present */
export function findConflicts(name: SchedulerName, config: SchedulerConfig): PregenError[] {
  return RULES.filter(
    ({ names, broken }) => (names === undefined || names.includes(name)) && broken(config),
  ).map(
    ({ message, help }) => new PregenError('E_SCHEDULER_CONFLICT', `scheduler ${name}: ${message}`, { help }),
  )
}
