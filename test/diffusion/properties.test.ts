import { describe, expect, it } from 'vitest'
import { createScheduler } from '../../src/diffusion/create-scheduler.ts'
import { SCHEDULER_NAMES, type Scheduler, type SchedulerName } from '../../src/diffusion/scheduler.ts'
import { TorchCpuGenerator } from '../../src/random/torch-cpu.ts'
import fc from '../support/seed.ts'
import { modelOutput } from './trajectory.ts'

const SD_TRAINING = { beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'scaled_linear' }
const SIZE = 2 * 4 * 2 * 2

/** Settings that every scheduler is tried with; `skip_prk_steps: false` needs 4 steps. */
const SETTINGS: Record<SchedulerName, readonly Record<string, unknown>[]> = {
  'flow-match-euler': [{}, { shift: 3 }, { stochastic_sampling: true }, { use_karras_sigmas: true }],
  euler: [{}, { timestep_spacing: 'trailing' }, { use_karras_sigmas: true }, { use_beta_sigmas: true }],
  'euler-ancestral': [{}, { timestep_spacing: 'leading', steps_offset: 1 }],
  heun: [{}, { use_exponential_sigmas: true }, { timestep_spacing: 'leading' }],
  'dpm++2m': [{}, { solver_order: 3 }, { use_karras_sigmas: true }, { timestep_spacing: 'trailing' }],
  'dpm++2m-sde': [{}, { use_karras_sigmas: true }],
  ddim: [{}, { eta: 1 }, { thresholding: true }, { timestep_spacing: 'trailing' }],
  ddpm: [{}, { variance_type: 'fixed_large' }],
  pndm: [{ skip_prk_steps: true }, { skip_prk_steps: true, timestep_spacing: 'trailing' }],
  lcm: [{ original_inference_steps: 100 }],
  tcd: [{ original_inference_steps: 100 }, { original_inference_steps: 100, eta: 0.3 }],
  unipc: [
    {},
    { solver_order: 3 },
    { use_flow_sigmas: true, flow_shift: 3, prediction_type: 'flow_prediction' },
  ],
}

const cases = SCHEDULER_NAMES.flatMap((name) => SETTINGS[name].map((settings) => ({ name, settings })))
const steps = fc.integer({ min: 1, max: 100 })

function schedulerFor(name: SchedulerName, settings: Record<string, unknown>, count: number): Scheduler {
  const scheduler = createScheduler(name, name === 'flow-match-euler' ? {} : SD_TRAINING, settings)
  scheduler.setTimesteps(count)
  return scheduler
}

/** Runs from `beginIndex` to the end and returns the sample, which must be the array that was handed in. */
function run(scheduler: Scheduler, beginIndex: number, seed: bigint): Float32Array {
  const generator = new TorchCpuGenerator(seed)
  const sample = generator.randn(new Float32Array(SIZE)).map((value) => value * scheduler.initNoiseSigma)
  const scaled = new Float32Array(SIZE)
  scheduler.begin(beginIndex, SIZE, 2)
  for (let call = beginIndex; call < scheduler.timesteps.length; call++) {
    scheduler.scaleModelInput(sample, call, scaled)
    scheduler.step(modelOutput(scaled, scheduler.timesteps[call]!), call, sample, (out) =>
      generator.randn(out),
    )
  }
  return sample
}

describe.each(cases)('$name $settings', ({ name, settings }) => {
  it('stays finite and in descending order, and numbers its calls 1 … n', () => {
    fc.assert(
      fc.property(steps, (count) => {
        const scheduler = schedulerFor(name, settings, count)
        const { timesteps, stepOfCall, sigmas } = scheduler
        for (let i = 1; i < timesteps.length; i++) {
          expect(timesteps[i]!).toBeLessThanOrEqual(timesteps[i - 1]!)
          expect(stepOfCall[i]! - stepOfCall[i - 1]!).toBeGreaterThanOrEqual(0)
          expect(stepOfCall[i]! - stepOfCall[i - 1]!).toBeLessThanOrEqual(1)
        }
        expect(stepOfCall.length).toBe(timesteps.length)
        expect([stepOfCall[0], stepOfCall.at(-1)]).toEqual([1, count])
        if (sigmas !== null) expect(sigmas.every(Number.isFinite)).toBe(true)
        expect(run(scheduler, 0, 1n).every(Number.isFinite)).toBe(true)
      }),
      { numRuns: 12 },
    )
  })

  it('begins anywhere, forgets what was before, and numbers what is left', () => {
    fc.assert(
      fc.property(steps, fc.double({ min: 0, max: 0.999, noNaN: true }), (count, part) => {
        const scheduler = schedulerFor(name, settings, count)
        const skipped = Math.floor(count * part)
        const beginIndex = skipped * scheduler.order
        const first = run(scheduler, beginIndex, 2n)
        run(scheduler, 0, 3n)
        expect(run(scheduler, beginIndex, 2n)).toEqual(first)
        const numbers = new Set(scheduler.stepOfCall.slice(beginIndex))
        expect(numbers.size).toBe(count - skipped)
        expect(first.every(Number.isFinite)).toBe(true)
      }),
      { numRuns: 8 },
    )
  })

  it('keeps samples of a batch apart', () => {
    const scheduler = schedulerFor(name, settings, 6)
    const half = SIZE / 2
    const noise = new TorchCpuGenerator(5n).randn(new Float32Array(half))
    const start = new TorchCpuGenerator(4n).randn(new Float32Array(half))
    const together = Float32Array.from([...start, ...start])
    const alone = Float32Array.from(start)
    const denoise = (sample: Float32Array, batchSize: number) => {
      scheduler.begin(0, sample.length, batchSize)
      for (let call = 0; call < scheduler.timesteps.length; call++) {
        scheduler.step(modelOutput(sample, scheduler.timesteps[call]!), call, sample, (out) => {
          for (let i = 0; i < out.length; i += half) out.set(noise, i)
        })
      }
    }
    denoise(together, 2)
    denoise(alone, 1)
    expect(together.subarray(0, half)).toEqual(alone)
    expect(together.subarray(half)).toEqual(alone)
  })

  it('reuses its buffers: the predicted x0 comes in few arrays, however many the steps', () => {
    const scheduler = schedulerFor(name, settings, 60)
    const sample = new Float32Array(SIZE).fill(0.5)
    const arrays = new Set<Float32Array>()
    scheduler.begin(0, SIZE)
    for (let call = 0; call < scheduler.timesteps.length; call++) {
      const denoised = scheduler.step(new Float32Array(SIZE).fill(0.1), call, sample, (out) => out.fill(0.2))
      arrays.add(denoised)
      expect(denoised).not.toBe(sample)
    }
    expect(arrays.size).toBeLessThanOrEqual(4)
  })
})

describe('what a schedule refuses', () => {
  it.each([0, -1, 1.5, 1001, Number.NaN])('%s steps', (count) => {
    expect(() => createScheduler('euler', {}).setTimesteps(count)).toThrow(/steps must be a whole number/)
  })

  it('more steps than the training schedule or the distillation has', () => {
    expect(() => createScheduler('ddim', { num_train_timesteps: 100 }).setTimesteps(101)).toThrow(
      /at most 100/,
    )
    expect(() => createScheduler('lcm', {}).setTimesteps(51)).toThrow(/at most 50/)
    expect(() => createScheduler('lcm', {}).setTimesteps(20, { strength: 0.3 })).toThrow(/the 15 that/)
  })

  it('a start beyond the training schedule', () => {
    expect(() => createScheduler('ddim', { steps_offset: 1 }).setTimesteps(1000)).toThrow(/steps_offset 1/)
  })

  it('pseudo Runge–Kutta steps with fewer than 4 steps', () => {
    expect(() => createScheduler('pndm', {}).setTimesteps(3)).toThrow(/4 steps or more/)
  })

  it('options that would change the picture and that it cannot honour', () => {
    expect(() => createScheduler('euler', {}).setTimesteps(2, { sigmas: [1, 0.5] })).toThrow(/from sigmas/)
    expect(() => createScheduler('ddim', {}).setTimesteps(2, { strength: 0.5 })).toThrow(/from strength/)
  })

  it('dynamic shifting without mu, a terminal without a second step, and sigmas that do not fit', () => {
    const dynamic = createScheduler('flow-match-euler', { use_dynamic_shifting: true })
    expect(() => dynamic.setTimesteps(4)).toThrow(/mu/)
    const terminal = createScheduler('flow-match-euler', { shift_terminal: 0.1 })
    expect(() => terminal.setTimesteps(1)).toThrow(/at least 2 steps/)
    const flow = createScheduler('flow-match-euler', {})
    expect(() => flow.setTimesteps(3, { sigmas: [1, 0.5] })).toThrow(RangeError)
  })

  it('to begin outside the schedule, or with samples of unequal size', () => {
    const scheduler = createScheduler('euler', {})
    scheduler.setTimesteps(4)
    expect(() => scheduler.begin(4, 8)).toThrow(RangeError)
    expect(() => scheduler.begin(0, 9, 2)).toThrow(RangeError)
  })
})
