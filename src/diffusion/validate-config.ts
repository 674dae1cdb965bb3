/** What a sheet sets on a scheduler, checked before any model is loaded. */
import { nearest } from '../did-you-mean.ts'
import { PregenError } from '../errors.ts'
import { schedulerNameOfClass, unsupportedScheduler } from './class-names.ts'
import { resolveSchedulerConfig, type SchedulerFault } from './resolve-config.ts'
import { SCHEDULER_NAMES, type SchedulerConfig, type SchedulerName } from './scheduler.ts'
import { SCHEDULER_CLASSES, type SchedulerClass } from './scheduler-classes.ts'
import { whyUnused } from './unused-keys.ts'

/**
 * Every fault of a sheet's scheduler settings, each with the key of the sheet that it stands at (null: none): keys that the scheduler does not have or that change nothing, wrong
 * values, and combinations that cannot work. Keys of the folder that belong to another class are no fault.
 * @param name undefined: the class that the folder's config names
 * @param folderConfig the model folder's scheduler_config.json; `{}` where no model is known yet (then give a name)
 * @param overrides the sheet's keys, `name` left out
 */
export function validateSchedulerConfig(
  name: SchedulerName | undefined,
  folderConfig: SchedulerConfig,
  overrides: SchedulerConfig,
): SchedulerFault[] {
  const chosen = name ?? nameOfFolder(folderConfig, overrides)
  if (chosen instanceof PregenError) return [{ key: null, error: chosen }]
  const schedulerClass: SchedulerClass = SCHEDULER_CLASSES[chosen]
  const keys = Object.keys(overrides)
  const faults: SchedulerFault[] = keys
    .filter((key) => !Object.hasOwn(schedulerClass.keys, key))
    .map((key) => ({ key, error: unknownKey(chosen, key, Object.keys(schedulerClass.keys)) }))

  const resolved = resolveSchedulerConfig(chosen, folderConfig, overrides)
  for (const { key, error } of resolved.faults) {
    faults.push({ key: key !== null && keys.includes(key) ? key : null, error })
  }
  if (resolved.faults.length > 0) return faults
  for (const key of keys) {
    const spec = schedulerClass.keys[key]
    if (spec === undefined || resolved.config[key] === spec.fallback) continue
    const why = whyUnused(chosen, resolved.config, key)
    if (why !== null) faults.push({ key, error: unusedKey(chosen, key, why) })
  }
  return faults
}

function nameOfFolder(
  folderConfig: SchedulerConfig,
  overrides: SchedulerConfig,
): SchedulerName | PregenError {
  const { _class_name: className } = folderConfig
  if (typeof className !== 'string') return unsupportedScheduler(null)
  const known = schedulerNameOfClass(className, { ...folderConfig, ...overrides })
  return known?.name ?? unsupportedScheduler(className)
}

function unknownKey(name: SchedulerName, key: string, known: readonly string[]): PregenError {
  const guess = nearest(key, known)
  const owners = SCHEDULER_NAMES.filter((other) => Object.hasOwn(SCHEDULER_CLASSES[other].keys, key))
  const hints = [
    ...(guess === undefined || owners.length > 0 ? [] : [`Did you mean "${guess}"?`]),
    ...(owners.length > 0 ? [`These have it: ${owners.join(', ')}.`] : []),
    `${name} takes ${known.join(', ')}.`,
  ]
  return new PregenError('E_UNKNOWN_KEY', `scheduler.${key} is not a setting of ${name}`, {
    help: hints.join(' '),
  })
}

function unusedKey(name: SchedulerName, key: string, why: string): PregenError {
  return new PregenError('E_SCHEDULER_KEY_UNUSED', `scheduler.${key} of ${name} has no effect ${why}`, {
    help: 'Take it away, or set what it needs.',
  })
}
