import { PregenErrors } from '../errors.ts'
import { schedulerNameOfConfig } from './class-names.ts'
import { resolveSchedulerConfig } from './resolve-config.ts'
import type { Scheduler, SchedulerConfig, SchedulerName } from './scheduler.ts'
import { DdimScheduler } from './schedulers/ddim.ts'
import { DdpmScheduler } from './schedulers/ddpm.ts'
import { DpmSolverMultistepScheduler } from './schedulers/dpm-solver-multistep.ts'
import { EulerScheduler } from './schedulers/euler.ts'
import { EulerAncestralScheduler } from './schedulers/euler-ancestral.ts'
import { FlowMatchEulerScheduler } from './schedulers/flow-match-euler.ts'
import { HeunScheduler } from './schedulers/heun.ts'
import { LcmScheduler } from './schedulers/lcm.ts'
import { PndmScheduler } from './schedulers/pndm.ts'
import { TcdScheduler } from './schedulers/tcd.ts'
import { UniPcScheduler } from './schedulers/unipc.ts'

type SchedulerConstructor = new (name: SchedulerName, config: SchedulerConfig) => Scheduler

const CONSTRUCTORS = {
  'flow-match-euler': FlowMatchEulerScheduler,
  euler: EulerScheduler,
  'euler-ancestral': EulerAncestralScheduler,
  heun: HeunScheduler,
  'dpm++2m': DpmSolverMultistepScheduler,
  'dpm++2m-sde': DpmSolverMultistepScheduler,
  ddim: DdimScheduler,
  ddpm: DdpmScheduler,
  pndm: PndmScheduler,
  lcm: LcmScheduler,
  tcd: TcdScheduler,
  unipc: UniPcScheduler,
} satisfies Record<SchedulerName, SchedulerConstructor>

/**
 * A scheduler for one trajectory.
 * @param name undefined: the class that the folder's config names
 * @param folderConfig the model folder's scheduler_config.json
 * @param overrides the sheet's keys; they win
 * @throws PregenError when the folder's class is not supported; PregenErrors with every wrong value and combination
 */
export function createScheduler(
  name: SchedulerName | undefined,
  folderConfig: SchedulerConfig,
  overrides: SchedulerConfig = {},
): Scheduler {
  const chosen = name ?? schedulerNameOfConfig({ ...folderConfig, ...overrides })
  const { config, faults } = resolveSchedulerConfig(chosen, folderConfig, overrides)
  if (faults.length > 0) throw new PregenErrors(faults.map(({ error }) => error))
  return new CONSTRUCTORS[chosen](chosen, config)
}
