/** How many steps a unit's schedule will execute, found by building the schedule. No model is needed for that. */
import { schedulerNameOfConfig } from '../diffusion/class-names.ts'
import { createScheduler } from '../diffusion/create-scheduler.ts'
import type { SchedulerConfig, SchedulerName } from '../diffusion/scheduler.ts'
import { SCHEDULER_CLASSES, type SchedulerClass } from '../diffusion/scheduler-classes.ts'
import { PregenError, PregenErrors } from '../errors.ts'
import type { Family, ModelFacts } from './model-facts.ts'

export interface TrajectoryRequest {
  readonly facts: ModelFacts
  readonly scheduler: { readonly name: SchedulerName | undefined; readonly config: SchedulerConfig }
  readonly steps: number
  /** Image-to-image's strength; undefined: text-to-image. */
  readonly strength: number | undefined
}

export type Trajectory =
  | { readonly executedSteps: number }
  /** What the scheduler refuses. */
  | { readonly errors: readonly PregenError[] }

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

/** `executedSteps` 0: the strength leaves nothing to do. */
function findTrajectory({ facts, scheduler: asked, steps, strength }: TrajectoryRequest): Trajectory {
  const { family, schedulerConfig } = facts
  try {
    const scheduler = createScheduler(asked.name, schedulerConfig, asked.config)
    const { use_dynamic_shifting: isDynamic } = scheduler.config
    scheduler.setTimesteps(steps, {
      // The number of steps does not depend on the shift, but a dynamic schedule cannot be built without one.
      ...(isDynamic === true ? { mu: 1 } : {}),
      ...(family === 'lcm' && strength !== undefined ? { strength } : {}),
    })
    const firstCall = skippedSteps(family, steps, strength) * scheduler.order
    if (firstCall >= scheduler.timesteps.length) return { executedSteps: 0 }
    scheduler.begin(firstCall, 1)
    const { stepOfCall } = scheduler
    return { executedSteps: stepOfCall.at(-1)! - stepOfCall[firstCall]! + 1 }
  } catch (error) {
    if (error instanceof PregenErrors) return { errors: error.errors }
    if (error instanceof PregenError) return { errors: [error] }
    throw error
  }
}

/** Steps that image-to-image leaves out: diffusers' get_timesteps of each family. LCM shortens the schedule instead. */
function skippedSteps(family: Family, steps: number, strength: number | undefined): number {
  if (strength === undefined || family === 'lcm') return 0
  const kept = Math.min(steps * strength, steps)
  return family === 'sd3' || family === 'flux' ? Math.floor(steps - kept) : steps - Math.trunc(kept)
}

/** Keys of a sheet's scheduler map that the chosen class does not have, and those that it has. */
export function findUnknownKeys(
  { name, config }: TrajectoryRequest['scheduler'],
  folderConfig: SchedulerConfig,
): { readonly unknown: readonly string[]; readonly valid: readonly string[] } {
  const chosen = name ?? schedulerNameOfConfig({ ...folderConfig, ...config })
  const { keys, inherited }: SchedulerClass = SCHEDULER_CLASSES[chosen]
  const valid = [...Object.keys(keys), ...(inherited ?? [])]
  // A pasted scheduler_config.json brings _class_name and _diffusers_version.
  const unknown = Object.keys(config).filter((key) => !key.startsWith('_') && !valid.includes(key))
  return { unknown, valid }
}
