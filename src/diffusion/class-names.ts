/** diffusers' class names and pregen's names of schedulers. */
import { PregenError } from '../errors.ts'
import { SCHEDULER_NAMES, type SchedulerConfig, type SchedulerName } from './scheduler.ts'
import { SCHEDULER_CLASSES } from './scheduler-classes.ts'

export interface NamedScheduler {
  readonly name: SchedulerName
  /** What the class name says beyond the name, to be laid under the sheet's own keys. */
  readonly impliedConfig: SchedulerConfig
}

/** The class names that a sheet may use. */
export const SCHEDULER_CLASS_NAMES: readonly string[] = [
  ...new Set(SCHEDULER_NAMES.map((name) => SCHEDULER_CLASSES[name].className)),
]

/**
 * The scheduler of a diffusers class.
 * @param config the keys beside it: `algorithm_type` tells dpm++2m-sde from dpm++2m
 * @returns null for a class that pregen does not have
 */
export function schedulerNameOfClass(className: string, config: SchedulerConfig = {}): NamedScheduler | null {
  const name = SCHEDULER_NAMES.find((known) => SCHEDULER_CLASSES[known].className === className)
  if (name === undefined) return null
  const { algorithm_type: algorithm } = config
  if (name !== 'dpm++2m' || typeof algorithm !== 'string') return { name, impliedConfig: {} }
  const stochastic = algorithm.startsWith('sde-')
  return { name: stochastic ? 'dpm++2m-sde' : name, impliedConfig: { algorithm_type: algorithm } }
}

/**
 * The scheduler that a folder's own scheduler_config.json asks for.
 * @throws PregenError E_UNSUPPORTED_SCHEDULER when pregen does not have the class, or none is named
 */
export function schedulerNameOfConfig(config: SchedulerConfig): SchedulerName {
  const { _class_name: className } = config
  const known = typeof className === 'string' ? schedulerNameOfClass(className, config) : null
  if (known !== null) return known.name
  throw unsupportedScheduler(typeof className === 'string' ? className : null)
}

/** @param className null: scheduler_config.json names no class */
export function unsupportedScheduler(className: string | null): PregenError {
  const what =
    className === null
      ? 'scheduler_config.json has no _class_name'
      : `the scheduler ${className} is not supported`
  return new PregenError('E_UNSUPPORTED_SCHEDULER', what, {
    help: `Set scheduler in the sheet to one of ${SCHEDULER_NAMES.join(', ')}.`,
  })
}
