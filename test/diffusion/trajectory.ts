/** Runs a recorded trajectory of diffusers through a scheduler and compares every tensor of every step. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { createScheduler } from '../../src/diffusion/create-scheduler.ts'
import type { Scheduler, SchedulerConfig } from '../../src/diffusion/scheduler.ts'

export interface RecordedStep {
  readonly t: number
  readonly prev_sample: readonly number[]
  readonly atol: number
  readonly scaled_input?: readonly number[]
  readonly pred_original_sample?: readonly number[]
  readonly denoised?: readonly number[]
  readonly x0?: readonly number[]
  readonly noise?: readonly number[]
}

export interface Trajectory {
  readonly name: string
  readonly scheduler: string
  readonly config: SchedulerConfig
  readonly num_inference_steps: number
  readonly set_timesteps_args: {
    readonly sigmas?: number[]
    readonly mu?: number
    readonly strength?: number
  }
  readonly step_args: SchedulerConfig
  readonly order: number
  readonly shape: readonly number[]
  readonly timesteps: readonly number[]
  readonly timesteps_atol: number
  readonly sigmas: readonly number[] | null
  readonly sigmas_rtol?: number
  readonly init_noise_sigma: number
  readonly begin_index: number | null
  readonly initial_sample: readonly number[]
  readonly steps: readonly RecordedStep[]
  readonly img2img?: {
    readonly strength: number
    readonly t_start: number
    readonly original: readonly number[]
    readonly noise: readonly number[]
  } | null
}

const FIXTURES = new URL('../fixtures/schedulers/', import.meta.url)

/** Every trajectory of a fixture file. */
export function readTrajectories(file: string): Trajectory[] {
  return JSON.parse(readFileSync(new URL(file, FIXTURES), 'utf8'))
}

export function trajectoryFiles(): string[] {
  return readdirSync(FIXTURES).filter((file) => file.endsWith('.json') && file !== 'betas.json')
}

export function schedulerOf(trajectory: Trajectory): Scheduler {
  const folder = { _class_name: trajectory.scheduler, ...trajectory.config }
  return createScheduler(undefined, folder, trajectory.step_args)
}

export function replay(trajectory: Trajectory): void {
  const scheduler = schedulerOf(trajectory)
  scheduler.setTimesteps(trajectory.num_inference_steps, trajectory.set_timesteps_args)
  compareSchedule(scheduler, trajectory)

  const { img2img } = trajectory
  const beginIndex = img2img ? img2img.t_start * trajectory.order : 0
  const size = trajectory.initial_sample.length
  scheduler.begin(beginIndex, size, trajectory.shape[0])
  if (img2img) {
    const noisy = scheduler.addNoise(
      Float32Array.from(img2img.original),
      Float32Array.from(img2img.noise),
      beginIndex,
    )
    expectWithin(noisy, trajectory.initial_sample, 1e-5, 'initial sample')
  }

  const sample = Float32Array.from(trajectory.initial_sample)
  const scaled = new Float32Array(size)
  trajectory.steps.forEach((step, index) => {
    const call = beginIndex + index
    const at = `step ${index} (t = ${step.t})`
    scheduler.scaleModelInput(sample, call, scaled)
    if (step.scaled_input) expectWithin(scaled, step.scaled_input, step.atol, `${at}: scaled input`)

    let drawn = 0
    const x0 = scheduler.step(modelOutput(scaled, step.t), call, sample, (out) => {
      drawn++
      out.set(step.noise ?? [])
    })
    expect(drawn, `${at}: draws of noise`).toBe(step.noise ? 1 : 0)
    expectWithin(sample, step.prev_sample, step.atol, `${at}: prev_sample`)
    const denoised = step.pred_original_sample ?? step.denoised
    if (denoised) expectWithin(x0, denoised, step.atol, `${at}: denoised`)
    if (step.x0 && trajectory.config.predict_x0 !== false && !isNoiseSolver(trajectory)) {
      expectWithin(x0, step.x0, step.atol, `${at}: x0`)
    }
  })
  expect(beginIndex + trajectory.steps.length).toBe(scheduler.timesteps.length)
}

/** The stand-in for a model that the recordings were made with. */
export function modelOutput(input: Float32Array, timestep: number): Float32Array {
  const drift = Math.fround(0.1 * Math.sin(0.01 * timestep))
  return input.map((value) => Math.fround(Math.fround(0.6) * Math.fround(Math.tanh(value))) + drift)
}

function compareSchedule(scheduler: Scheduler, trajectory: Trajectory): void {
  expectWithin(scheduler.timesteps, trajectory.timesteps, trajectory.timesteps_atol, 'timesteps')
  expect(scheduler.order).toBe(trajectory.order)
  const relative = Math.abs(scheduler.initNoiseSigma / trajectory.init_noise_sigma - 1)
  expect(relative, 'init_noise_sigma').toBeLessThanOrEqual(1e-5)
  if (trajectory.sigmas === null) {
    expect(scheduler.sigmas).toBeNull()
    return
  }
  expect(scheduler.sigmas?.length).toBe(trajectory.sigmas.length)
  trajectory.sigmas.forEach((want, i) => {
    const difference = Math.abs(scheduler.sigmas![i]! - want)
    expect(difference / Math.max(want, 0.001), `sigma ${i}`).toBeLessThanOrEqual(trajectory.sigmas_rtol ?? 0)
  })
}

function isNoiseSolver({ config: { algorithm_type: type } }: Trajectory): boolean {
  return type === 'dpmsolver' || type === 'sde-dpmsolver'
}

function expectWithin(
  got: ArrayLike<number>,
  want: readonly number[],
  tolerance: number,
  what: string,
): void {
  expect(got.length, what).toBe(want.length)
  for (let i = 0; i < want.length; i++) {
    const difference = Math.abs(got[i]! - want[i]!)
    if (difference <= tolerance) continue
    expect.fail(`${what}[${i}] is ${got[i]}, expected ${want[i]} within ${tolerance}`)
  }
}
