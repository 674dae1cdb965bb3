/** How many steps a unit's schedule will execute, found by building the schedule. No model is needed for that. */
import { createScheduler } from '../diffusion/create-scheduler.ts'
import { type StrengthRule, skippedSteps } from '../diffusion/img2img.ts'
import type { SchedulerFault } from '../diffusion/resolve-config.ts'
import type { SchedulerConfig, SchedulerName } from '../diffusion/scheduler.ts'
import { validateSchedulerConfig } from '../diffusion/validate-config.ts'
import { PregenError } from '../errors.ts'
import type { Family, ModelFacts } from './model-facts.ts'

export interface TrajectoryRequest {
  readonly facts: ModelFacts
  readonly scheduler: { readonly name: SchedulerName | undefined; readonly config: SchedulerConfig }
  readonly steps: number
  /** Image-to-image's strength; undefined: text-to-image. */
  readonly strength: number | undefined
}

export type Trajectory =
  /** 0: the strength leaves nothing to do. */
  | { readonly executedSteps: number }
  /** What the scheduler refuses, each with the key of the sheet's map that it stands at (null: none). */
  | { readonly faults: readonly SchedulerFault[] }

/** How each family reads strength. */
export const STRENGTH_RULES: Readonly<Record<Family, StrengthRule>> = {
  sd: 'floor-kept',
  sdxl: 'floor-kept',
  sd3: 'floor-start',
  flux: 'floor-start',
  lcm: 'in-scheduler',
}

/** Remembers what it has found: the units of a sheet share few schedules. */
export function createTrajectoryFinder(): (request: TrajectoryRequest) => Trajectory {
  const found = new Map<string, Trajectory>()
  return (request) => {
    const { facts, scheduler, steps, strength } = request
    const key = JSON.stringify([facts.fingerprint, scheduler.name, scheduler.config, steps, strength])
    const known = found.get(key)
    if (known) return known
    const trajectory = findTrajectory(request)
    found.set(key, trajectory)
    return trajectory
  }
}

function findTrajectory({ facts, scheduler: asked, steps, strength }: TrajectoryRequest): Trajectory {
  const { family, schedulerConfig } = facts
  // A pasted scheduler_config.json brings _class_name and _diffusers_version, which set nothing.
  const overrides = Object.fromEntries(Object.entries(asked.config).filter(([key]) => !key.startsWith('_')))
  const faults = validateSchedulerConfig(asked.name, schedulerConfig, overrides)
  if (faults.length > 0) return { faults }
  try {
    const scheduler = createScheduler(asked.name, schedulerConfig, overrides)
    const { use_dynamic_shifting: isDynamic } = scheduler.config
    const rule = STRENGTH_RULES[family]
    scheduler.setTimesteps(steps, {
      // The number of steps does not depend on the shift, but a dynamic schedule cannot be built without one.
      ...(isDynamic === true ? { mu: 1 } : {}),
      ...(rule === 'in-scheduler' && strength !== undefined ? { strength } : {}),
    })
    const skipped = strength === undefined ? 0 : skippedSteps(rule, steps, strength)
    const firstCall = skipped * scheduler.order
    if (firstCall >= scheduler.timesteps.length) return { executedSteps: 0 }
    scheduler.begin(firstCall, 1)
    const { stepOfCall } = scheduler
    return { executedSteps: stepOfCall.at(-1)! - stepOfCall[firstCall]! + 1 }
  } catch (error) {
    if (error instanceof PregenError) return { faults: [{ key: null, error }] }
    throw error
  }
}
