import { describe, expect, it } from 'vitest'
import { schedulerNameOfClass } from '../../src/diffusion/class-names.ts'
import { createScheduler } from '../../src/diffusion/create-scheduler.ts'
import { SCHEDULER_NAMES } from '../../src/diffusion/scheduler.ts'
import { validateSchedulerConfig } from '../../src/diffusion/validate-config.ts'
import { PregenError, PregenErrors } from '../../src/errors.ts'

const SD_FOLDER = {
  _class_name: 'PNDMScheduler',
  _diffusers_version: '0.39.0',
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  num_train_timesteps: 1000,
  set_alpha_to_one: false,
  skip_prk_steps: true,
  steps_offset: 1,
  trained_betas: null,
  clip_sample: false,
}

function codes(...args: Parameters<typeof validateSchedulerConfig>): [string | null, string][] {
  return validateSchedulerConfig(...args).map(({ key, error }) => [key, error.code])
}

describe('validateSchedulerConfig', () => {
  it('finds nothing wrong with the defaults of any scheduler, over any of the folders', () => {
    for (const name of SCHEDULER_NAMES) {
      expect(codes(name, {}, {})).toEqual([])
      expect(codes(name, SD_FOLDER, {})).toEqual([])
    }
    expect(codes(undefined, SD_FOLDER, {})).toEqual([])
  })

  it('guesses what a mistyped key should have been', () => {
    const [fault] = validateSchedulerConfig('euler', {}, { use_karas_sigmas: true })
    expect(fault?.key).toBe('use_karas_sigmas')
    expect(fault?.error.code).toBe('E_UNKNOWN_KEY')
    expect(fault?.error.message).toBe('scheduler.use_karas_sigmas is not a setting of euler')
    expect(fault?.error.help).toContain('Did you mean "use_karras_sigmas"?')
  })

  it('names the schedulers that have a key which this one lacks', () => {
    const [fault] = validateSchedulerConfig('euler-ancestral', {}, { use_karras_sigmas: true })
    expect(fault?.error.help).toContain('These have it: flow-match-euler, euler, heun, dpm++2m')
  })

  it('reports every fault at once', () => {
    expect(codes('ddim', {}, { eta: 2, clip_sample: 'yes', shift: 3 })).toEqual([
      ['shift', 'E_UNKNOWN_KEY'],
      ['clip_sample', 'E_SCHEDULER_VALUE'],
      ['eta', 'E_SCHEDULER_VALUE'],
    ])
  })

  it.each([
    ['lcm', { timestep_spacing: 'trailing' }],
    ['tcd', { clip_sample: true }],
    ['tcd', { set_alpha_to_one: false }],
    ['euler', { steps_offset: 1 }],
    ['euler', { sigma_min: 0.1 }],
    ['ddim', { clip_sample: false, clip_sample_range: 2 }],
    ['dpm++2m', { flow_shift: 3 }],
    ['dpm++2m', { use_karras_sigmas: true, timestep_spacing: 'leading' }],
    ['flow-match-euler', { use_dynamic_shifting: true, shift: 3 }],
    ['flow-match-euler', { max_shift: 2 }],
  ] as const)('%s: says that %o has no effect', (name, overrides) => {
    expect(codes(name, {}, overrides).map(([, code]) => code)).toContain('E_SCHEDULER_KEY_UNUSED')
  })

  it('accepts a key without effect that repeats the default', () => {
    expect(codes('ddim', {}, { clip_sample: false, clip_sample_range: 1 })).toEqual([])
  })

  it.each([
    ['euler', { use_karras_sigmas: true, use_beta_sigmas: true }],
    ['dpm++2m', { algorithm_type: 'dpmsolver' }],
    ['dpm++2m-sde', { algorithm_type: 'sde-dpmsolver', final_sigmas_type: 'sigma_min', solver_order: 3 }],
    ['ddpm', { variance_type: 'learned_range' }],
    ['unipc', { solver_type: 'bh1' }],
    ['unipc', { predict_x0: false }],
    ['unipc', { lower_order_final: false }],
    ['unipc', { shift_terminal: 0.1 }],
    ['unipc', { use_flow_sigmas: true, use_beta_sigmas: true }],
    ['dpm++2m', { use_flow_sigmas: true, use_karras_sigmas: true }],
    ['ddim', { trained_betas: [0.1, 0.2] }],
  ] as const)('%s: refuses %o, which cannot work together', (name, overrides) => {
    expect(codes(name, {}, overrides)).toEqual([[null, 'E_SCHEDULER_CONFLICT']])
    expect(() => createScheduler(name, {}, overrides)).toThrow(PregenErrors)
  })

  it.each([
    ['solver_order', 4, 'a whole number from 1 to 3'],
    ['algorithm_type', 'ddim', 'dpmsolver++'],
    ['timestep_spacing', 'karras', 'linspace, leading, trailing'],
    ['use_karras_sigmas', 1, 'true or false'],
    ['trained_betas', 'linear', 'a list of numbers'],
    ['flow_shift', 0, 'a number above 0'],
  ])('refuses %s: %s', (key, value, expected) => {
    const [fault] = validateSchedulerConfig('dpm++2m', {}, { [key]: value })
    expect(fault?.key).toBe(key)
    expect(fault?.error.help).toContain(expected)
  })

  it("refuses a folder's class that pregen lacks, unless the sheet names another", () => {
    const folder = { ...SD_FOLDER, _class_name: 'DPMSolverSinglestepScheduler' }
    expect(codes(undefined, folder, {})).toEqual([[null, 'E_UNSUPPORTED_SCHEDULER']])
    expect(codes('euler', folder, {})).toEqual([])
    expect(() => createScheduler(undefined, folder)).toThrow(PregenError)
    expect(() => createScheduler(undefined, folder)).toThrow(/DPMSolverSinglestepScheduler is not supported/)
    expect(codes(undefined, {}, {})).toEqual([[null, 'E_UNSUPPORTED_SCHEDULER']])
  })

  it("refuses a folder's value that the scheduler cannot take", () => {
    expect(codes(undefined, { _class_name: 'DPMSolverMultistepScheduler', solver_order: 5 }, {})).toEqual([
      [null, 'E_SCHEDULER_VALUE'],
    ])
  })
})

describe("from_config's rules", () => {
  it("keeps the keys that both classes have and fills the rest with the new class's defaults", () => {
    const { config } = createScheduler('euler', SD_FOLDER)
    expect(config).toMatchObject({
      beta_schedule: 'scaled_linear',
      steps_offset: 1,
      timestep_spacing: 'linspace',
    })
    expect(config).not.toHaveProperty('skip_prk_steps')
    expect(config._class_name).toBe('EulerDiscreteScheduler')
  })

  it('re-defaults the keys that _use_default_values lists, unless the sheet sets them', () => {
    const folder = { ...SD_FOLDER, timestep_spacing: 'leading', _use_default_values: ['timestep_spacing'] }
    expect(createScheduler('euler', folder).config.timestep_spacing).toBe('linspace')
    expect(createScheduler('euler', folder, { timestep_spacing: 'trailing' }).config.timestep_spacing).toBe(
      'trailing',
    )
  })

  it('reads the solver types of sibling classes as its own', () => {
    const unipc = { _class_name: 'UniPCMultistepScheduler', solver_type: 'bh2', final_sigmas_type: 'zero' }
    expect(createScheduler('dpm++2m', unipc).config.solver_type).toBe('midpoint')
    const dpm = { _class_name: 'DPMSolverMultistepScheduler', solver_type: 'heun', algorithm_type: 'deis' }
    expect(createScheduler('unipc', dpm).config.solver_type).toBe('bh2')
    expect(createScheduler(undefined, dpm).config.algorithm_type).toBe('dpmsolver++')
  })

  it("reads DPM-Solver's absent variance_type as DDPM's smallest variance", () => {
    const folder = { _class_name: 'DPMSolverMultistepScheduler', variance_type: null }
    expect(createScheduler('ddpm', folder).config.variance_type).toBe('fixed_small')
  })

  it('lets the name decide between dpm++2m and dpm++2m-sde', () => {
    const sde = { _class_name: 'DPMSolverMultistepScheduler', algorithm_type: 'sde-dpmsolver++' }
    expect(createScheduler(undefined, sde).name).toBe('dpm++2m-sde')
    expect(createScheduler('dpm++2m', sde).config.algorithm_type).toBe('dpmsolver++')
    expect(createScheduler('dpm++2m-sde', SD_FOLDER).config.algorithm_type).toBe('sde-dpmsolver++')
    expect(createScheduler('dpm++2m-sde', SD_FOLDER).stochastic).toBe(true)
  })

  it('honours sigma_min of another class where the new one spaces sigmas', () => {
    const folder = { _class_name: 'EulerDiscreteScheduler', sigma_min: 0.1, sigma_max: 9 }
    const scheduler = createScheduler('dpm++2m', folder, { use_karras_sigmas: true })
    scheduler.setTimesteps(5)
    expect(scheduler.sigmas?.[0]).toBeCloseTo(9, 5)
    expect(scheduler.sigmas?.[4]).toBeCloseTo(0.1, 5)
  })

  it('reads -Infinity as Python writes it', () => {
    const folder = { _class_name: 'DPMSolverMultistepScheduler', lambda_min_clipped: '-Infinity' }
    expect(createScheduler(undefined, folder).config.lambda_min_clipped).toBe(Number.NEGATIVE_INFINITY)
  })
})

describe('schedulerNameOfClass', () => {
  it('knows the classes, and tells dpm++2m-sde by its algorithm', () => {
    expect(schedulerNameOfClass('PNDMScheduler')).toEqual({ name: 'pndm', impliedConfig: {} })
    expect(schedulerNameOfClass('DPMSolverMultistepScheduler')?.name).toBe('dpm++2m')
    expect(
      schedulerNameOfClass('DPMSolverMultistepScheduler', { algorithm_type: 'sde-dpmsolver++' }),
    ).toEqual({ name: 'dpm++2m-sde', impliedConfig: { algorithm_type: 'sde-dpmsolver++' } })
    expect(schedulerNameOfClass('KDPM2DiscreteScheduler')).toBeNull()
  })
})
