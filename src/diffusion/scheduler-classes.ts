/** diffusers' scheduler classes that pregen has: their names, and every key of their configs with its default. */
import type { KeySpecs } from './config-keys.ts'
import type { SchedulerName } from './scheduler.ts'
import { TIME_SHIFT_TYPES } from './time-shift.ts'
import { TIMESTEP_SPACINGS, type TimestepSpacing } from './timestep-spacing.ts'

export interface SchedulerClass {
  /** `_class_name` in scheduler_config.json. */
  readonly className: string
  readonly keys: KeySpecs
  /**
   * Keys that the class does not declare but reads where a folder's config of another class brings them along, as
   * diffusers' `from_config` keeps them.
   */
  readonly inherited?: readonly string[]
}

const off = { kind: 'boolean', fallback: false } as const
const on = { kind: 'boolean', fallback: true } as const

/** A schedule has an entry for each: published models have 1000. */
const TRAIN_TIMESTEPS = { kind: 'number', fallback: 1000, integer: true, min: 1, max: 10_000 } as const
const SHIFT = { kind: 'number', fallback: 1, above: 0, max: 1000 } as const

function choice<T extends string>(fallback: T, values: readonly T[]) {
  return { kind: 'choice', fallback, values } as const
}

function training(
  betaStart: number,
  betaEnd: number,
  schedule: string,
  schedules: readonly string[] = [],
): KeySpecs {
  const known = ['linear', 'scaled_linear', 'squaredcos_cap_v2', ...schedules]
  return {
    num_train_timesteps: TRAIN_TIMESTEPS,
    beta_start: { kind: 'number', fallback: betaStart, min: 0, max: 1 },
    beta_end: { kind: 'number', fallback: betaEnd, min: 0, max: 1 },
    beta_schedule: choice(schedule, known),
    trained_betas: { kind: 'numbers', fallback: null },
  }
}

function spacing(fallback: TimestepSpacing): KeySpecs {
  return {
    timestep_spacing: choice(fallback, TIMESTEP_SPACINGS),
    steps_offset: { kind: 'number', fallback: 0, integer: true, min: 0, max: 10_000 },
  }
}

const SIGMA_SPACINGS: KeySpecs = { use_karras_sigmas: off, use_exponential_sigmas: off, use_beta_sigmas: off }

const CLIPPING: KeySpecs = { clip_sample_range: { kind: 'number', fallback: 1, above: 0, max: 1e9 } }

const THRESHOLDING: KeySpecs = {
  thresholding: off,
  dynamic_thresholding_ratio: { kind: 'number', fallback: 0.995, min: 0, max: 1 },
  sample_max_value: { kind: 'number', fallback: 1, above: 0, max: 1e9 },
}

const FLOW: KeySpecs = {
  use_flow_sigmas: off,
  flow_shift: SHIFT,
  use_dynamic_shifting: off,
  time_shift_type: choice('exponential', TIME_SHIFT_TYPES),
}

const SIGMA_RANGE: KeySpecs = {
  sigma_min: { kind: 'number', fallback: null, above: 0, max: 1e6 },
  sigma_max: { kind: 'number', fallback: null, above: 0, max: 1e6 },
}

const ALPHA_PREDICTION_TYPES = ['epsilon', 'sample', 'v_prediction']
const FINAL_SIGMAS = choice('zero', ['zero', 'sigma_min'])
const SOLVER_ORDER = { kind: 'number', fallback: 2, integer: true, min: 1, max: 3 } as const

const DPM_SOLVER_MULTISTEP: SchedulerClass = {
  className: 'DPMSolverMultistepScheduler',
  keys: {
    ...training(0.0001, 0.02, 'linear'),
    solver_order: SOLVER_ORDER,
    prediction_type: choice('epsilon', [...ALPHA_PREDICTION_TYPES, 'flow_prediction']),
    ...THRESHOLDING,
    algorithm_type: {
      kind: 'choice',
      fallback: 'dpmsolver++',
      values: ['dpmsolver++', 'sde-dpmsolver++', 'dpmsolver', 'sde-dpmsolver'],
      aliases: { deis: 'dpmsolver++' },
    },
    solver_type: {
      kind: 'choice',
      fallback: 'midpoint',
      values: ['midpoint', 'heun'],
      aliases: { logrho: 'midpoint', bh1: 'midpoint', bh2: 'midpoint' },
    },
    lower_order_final: on,
    euler_at_final: off,
    ...SIGMA_SPACINGS,
    use_lu_lambdas: off,
    ...FLOW,
    final_sigmas_type: FINAL_SIGMAS,
    lambda_min_clipped: { kind: 'number', fallback: Number.NEGATIVE_INFINITY },
    variance_type: {
      kind: 'choice',
      fallback: null,
      values: [
        'learned',
        'learned_range',
        'fixed_small',
        'fixed_small_log',
        'fixed_large',
        'fixed_large_log',
      ],
    },
    ...spacing('linspace'),
    rescale_betas_zero_snr: off,
  },
  inherited: ['sigma_min', 'sigma_max'],
}

/** Of models distilled into few steps. */
const DISTILLED: KeySpecs = {
  ...training(0.00085, 0.012, 'scaled_linear'),
  original_inference_steps: { kind: 'number', fallback: 50, integer: true, min: 1, max: 10_000 },
  clip_sample: off,
  ...CLIPPING,
  set_alpha_to_one: on,
  prediction_type: choice('epsilon', ALPHA_PREDICTION_TYPES),
  ...THRESHOLDING,
  ...spacing('leading'),
  timestep_scaling: { kind: 'number', fallback: 10, above: 0, max: 1_000_000 },
  rescale_betas_zero_snr: off,
}

export const SCHEDULER_CLASSES = {
  'flow-match-euler': {
    className: 'FlowMatchEulerDiscreteScheduler',
    keys: {
      num_train_timesteps: TRAIN_TIMESTEPS,
      shift: SHIFT,
      use_dynamic_shifting: off,
      base_shift: { kind: 'number', fallback: 0.5, min: -100, max: 100 },
      max_shift: { kind: 'number', fallback: 1.15, min: -100, max: 100 },
      base_image_seq_len: { kind: 'number', fallback: 256, integer: true, min: 1, max: 1_000_000 },
      max_image_seq_len: { kind: 'number', fallback: 4096, integer: true, min: 1, max: 1_000_000 },
      invert_sigmas: off,
      shift_terminal: { kind: 'number', fallback: null, min: 0, max: 1 },
      ...SIGMA_SPACINGS,
      time_shift_type: choice('exponential', TIME_SHIFT_TYPES),
      stochastic_sampling: off,
    },
    inherited: ['sigma_min', 'sigma_max'],
  },
  euler: {
    className: 'EulerDiscreteScheduler',
    keys: {
      ...training(0.0001, 0.02, 'linear'),
      prediction_type: choice('epsilon', ['epsilon', 'sample', 'original_sample', 'v_prediction']),
      interpolation_type: choice('linear', ['linear', 'log_linear']),
      ...SIGMA_SPACINGS,
      ...SIGMA_RANGE,
      ...spacing('linspace'),
      timestep_type: choice('discrete', ['discrete', 'continuous']),
      rescale_betas_zero_snr: off,
      final_sigmas_type: FINAL_SIGMAS,
      // Arguments of diffusers' step().
      s_churn: { kind: 'number', fallback: 0, min: 0 },
      s_tmin: { kind: 'number', fallback: 0, min: 0 },
      s_tmax: { kind: 'number', fallback: Number.POSITIVE_INFINITY, min: 0 },
      s_noise: { kind: 'number', fallback: 1, min: 0 },
    },
  },
  'euler-ancestral': {
    className: 'EulerAncestralDiscreteScheduler',
    keys: {
      ...training(0.0001, 0.02, 'linear'),
      prediction_type: choice('epsilon', ['epsilon', 'v_prediction']),
      ...spacing('linspace'),
      rescale_betas_zero_snr: off,
    },
  },
  heun: {
    className: 'HeunDiscreteScheduler',
    keys: {
      ...training(0.00085, 0.012, 'linear', ['exp']),
      prediction_type: choice('epsilon', ALPHA_PREDICTION_TYPES),
      ...SIGMA_SPACINGS,
      clip_sample: off,
      ...CLIPPING,
      ...spacing('linspace'),
    },
    inherited: ['sigma_min', 'sigma_max'],
  },
  'dpm++2m': DPM_SOLVER_MULTISTEP,
  'dpm++2m-sde': DPM_SOLVER_MULTISTEP,
  ddim: {
    className: 'DDIMScheduler',
    keys: {
      ...training(0.0001, 0.02, 'linear'),
      clip_sample: on,
      ...CLIPPING,
      set_alpha_to_one: on,
      prediction_type: choice('epsilon', ALPHA_PREDICTION_TYPES),
      ...THRESHOLDING,
      ...spacing('leading'),
      rescale_betas_zero_snr: off,
      // Arguments of diffusers' step(), which its pipelines take beside the scheduler's config.
      eta: { kind: 'number', fallback: 0, min: 0, max: 1 },
      use_clipped_model_output: off,
    },
  },
  ddpm: {
    className: 'DDPMScheduler',
    keys: {
      ...training(0.0001, 0.02, 'linear', ['laplace', 'sigmoid']),
      variance_type: {
        kind: 'choice',
        fallback: 'fixed_small',
        values: [
          'fixed_small',
          'fixed_small_log',
          'fixed_large',
          'fixed_large_log',
          'learned',
          'learned_range',
        ],
        ofNull: 'fixed_small',
      },
      clip_sample: on,
      ...CLIPPING,
      prediction_type: choice('epsilon', ALPHA_PREDICTION_TYPES),
      ...THRESHOLDING,
      ...spacing('leading'),
      rescale_betas_zero_snr: off,
    },
  },
  pndm: {
    className: 'PNDMScheduler',
    keys: {
      ...training(0.0001, 0.02, 'linear'),
      skip_prk_steps: off,
      set_alpha_to_one: off,
      prediction_type: choice('epsilon', ['epsilon', 'v_prediction']),
      ...spacing('leading'),
    },
  },
  lcm: { className: 'LCMScheduler', keys: DISTILLED },
  tcd: {
    className: 'TCDScheduler',
    // Of diffusers' step(), which its pipelines take beside the scheduler's config; 0 where the call names none.
    keys: { ...DISTILLED, eta: { kind: 'number', fallback: 0, min: 0, max: 1 } },
  },
  unipc: {
    className: 'UniPCMultistepScheduler',
    keys: {
      ...training(0.0001, 0.02, 'linear'),
      solver_order: SOLVER_ORDER,
      prediction_type: choice('epsilon', [...ALPHA_PREDICTION_TYPES, 'flow_prediction']),
      ...THRESHOLDING,
      predict_x0: on,
      solver_type: {
        kind: 'choice',
        fallback: 'bh2',
        values: ['bh1', 'bh2'],
        aliases: { midpoint: 'bh2', heun: 'bh2', logrho: 'bh2' },
      },
      lower_order_final: on,
      disable_corrector: { kind: 'numbers', fallback: [] },
      solver_p: { kind: 'null', fallback: null },
      ...SIGMA_SPACINGS,
      ...FLOW,
      ...SIGMA_RANGE,
      shift_terminal: { kind: 'number', fallback: null, min: 0, max: 1 },
      ...spacing('linspace'),
      final_sigmas_type: FINAL_SIGMAS,
      rescale_betas_zero_snr: off,
    },
  },
} as const satisfies Record<SchedulerName, SchedulerClass>
