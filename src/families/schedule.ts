/**
 * The one account of a schedule: which scheduler, with which settings, where image-to-image enters it, and how many
 * steps that leaves. Planning asks it before a model loads; the pipeline draws with what it gives.
 */
import { createScheduler } from '../diffusion/create-scheduler.ts'
import { skippedSteps } from '../diffusion/img2img.ts'
import type { SchedulerFault } from '../diffusion/resolve-config.ts'
import type { Scheduler, SchedulerConfig, SchedulerName } from '../diffusion/scheduler.ts'
import { validateSchedulerConfig } from '../diffusion/validate-config.ts'
import { PregenError } from '../errors.ts'
import type { Misfit } from './family.ts'
import { type FamilyName, familyOf } from './index.ts'
import { requireNumbers } from './rehearse.ts'

export interface ScheduleRequest {
  readonly family: FamilyName
  /** The model folder's scheduler_config.json, `_class_name` among its keys. */
  readonly folderConfig: SchedulerConfig
  /** undefined name: the folder's own scheduler. `config` is laid over the folder's. */
  readonly scheduler: { readonly name?: SchedulerName | undefined; readonly config: SchedulerConfig }
  readonly steps: number
  /** Image-to-image's, 0 … 1; undefined: text-to-image. */
  readonly strength: number | undefined
  /** Width × height over the square of the model's size multiple. */
  readonly imageTokens: number
}

export interface Schedule {
  readonly scheduler: Scheduler
  /** Index into `scheduler.timesteps` of the first evaluation. */
  readonly firstCall: number
  readonly executedSteps: number
}

/**
 * @throws PregenError E_SCHEDULER_UNSUITED when the family cannot be drawn with this scheduler, E_NO_STEPS when the
 *   strength leaves nothing to do; whatever the scheduler refuses
 */
export function openSchedule(request: ScheduleRequest): Schedule {
  const { steps, strength, imageTokens } = request
  const rules = familyOf(request.family).schedule
  const { folderConfig, overrides } = configsOf(request)
  const scheduler = createScheduler(request.scheduler.name, folderConfig, overrides)
  const { name, config } = scheduler
  const misfit = rules.misfit({ name, config, folderConfig })
  if (misfit !== null) throw unsuited(name, misfit)
  const shortened = rules.strength === 'in-scheduler' && strength !== undefined
  // Keys of the folder's that this class has not stay readable, as from_config leaves them: base_shift and its like.
  const readable = { ...folderConfig, ...config }
  const options = 'options' in rules ? rules.options(readable, { scheduler: name, steps, imageTokens }) : {}
  scheduler.setTimesteps(steps, { ...options, ...(shortened ? { strength } : {}) })

  const skipped = strength === undefined ? 0 : skippedSteps(rules.strength, steps, strength)
  const firstCall = skipped * scheduler.order
  if (firstCall >= scheduler.timesteps.length) {
    throw new PregenError(
      'E_NO_STEPS',
      `${steps} steps at denoise_strength ${strength} leave no step to execute`,
      { help: `Raise denoise_strength to ${1 / steps} or more, or ask for more steps.` },
    )
  }
  scheduler.begin(firstCall, 1)
  const { stepOfCall } = scheduler
  return { scheduler, firstCall, executedSteps: stepOfCall.at(-1)! - stepOfCall[firstCall]! + 1 }
}

export type ScheduleAccount =
  | { readonly executedSteps: number }
  /** What is refused, each with the key of the sheet's map that it stands at (null: none). */
  | { readonly faults: readonly SchedulerFault[] }

/** Remembers what it has found: the units of a sheet share few schedules. */
export function createScheduleAccounts(): (request: ScheduleRequest) => ScheduleAccount {
  const found = new Map<string, ScheduleAccount>()
  const folders = new Map<SchedulerConfig, number>()
  return (request) => {
    const { family, folderConfig, scheduler, steps, strength, imageTokens } = request
    const folder = folders.get(folderConfig) ?? folders.size
    folders.set(folderConfig, folder)
    const key = JSON.stringify([
      ...[family, folder, scheduler.name, scheduler.config],
      ...[steps, strength, imageTokens],
    ])
    const account = found.get(key) ?? accountOf(request)
    found.set(key, account)
    return account
  }
}

function accountOf(request: ScheduleRequest): ScheduleAccount {
  const { folderConfig, overrides } = configsOf(request)
  const faults = validateSchedulerConfig(request.scheduler.name, folderConfig, overrides)
  if (faults.length > 0) {
    const unsuited = unsuitedAnyway(request)
    return { faults: unsuited === null ? faults : [{ key: null, error: unsuited }] }
  }
  try {
    const schedule = openSchedule(request)
    requireNumbers(schedule, request.strength !== undefined)
    return { executedSteps: schedule.executedSteps }
  } catch (error) {
    if (error instanceof PregenError) return { faults: [{ key: null, error }] }
    throw error
  }
}

/** What no value of a key would mend: a scheduler that cannot drive the family is not told of its keys. */
function unsuitedAnyway({ family, folderConfig, scheduler: { name } }: ScheduleRequest): PregenError | null {
  if (name === undefined) return null
  const config = { ...folderConfig, use_flow_sigmas: true, prediction_type: 'flow_prediction' }
  const misfit = familyOf(family).schedule.misfit({ name, config, folderConfig })
  return misfit && unsuited(name, misfit)
}

function unsuited(name: SchedulerName, { why, help }: Misfit): PregenError {
  return new PregenError('E_SCHEDULER_UNSUITED', `${name} ${why}`, { help })
}

/** The folder's config as the family's pipeline hands it on, and what the sheet sets. */
function configsOf({ family, folderConfig, scheduler }: ScheduleRequest): {
  readonly folderConfig: SchedulerConfig
  readonly overrides: SchedulerConfig
} {
  // A pasted scheduler_config.json brings _class_name and _diffusers_version, which set nothing.
  const entries = Object.entries(scheduler.config).filter(([key]) => !key.startsWith('_'))
  const madeAnew = scheduler.name !== undefined || entries.length > 0
  const rules = familyOf(family).schedule
  return {
    folderConfig: 'mendConfig' in rules ? rules.mendConfig(folderConfig, madeAnew) : folderConfig,
    overrides: Object.fromEntries(entries),
  }
}
