/** From a folder's scheduler_config.json and a sheet's overrides to the config of one class, as diffusers' from_config. */
import { PregenError } from '../errors.ts'
import { findConflicts } from './config-conflicts.ts'
import { readKey } from './config-keys.ts'
import type { SchedulerConfig, SchedulerName } from './scheduler.ts'
import { SCHEDULER_CLASSES, type SchedulerClass } from './scheduler-classes.ts'

/** Of `sigma_min` and `sigma_max` in a config of another class. */
const MAX_INHERITED = 1e6
const MAX_SHOWN = 80

/** A fault, and the key that it stands at; null: several keys together, or none. */
export interface SchedulerFault {
  readonly key: string | null
  readonly error: PregenError
}

export interface ResolvedConfig {
  /** Every key of the class, and nothing else but the inherited ones. */
  readonly config: SchedulerConfig
  /** Wrong values and combinations that cannot work. */
  readonly faults: readonly SchedulerFault[]
}

/**
 * `NewClass.from_config(folderConfig, **overrides)`: keys that the class lacks are left out, keys that are missing get
 * the class's defaults, and so do keys that `_use_default_values` lists. The names `dpm++2m` and `dpm++2m-sde` decide
 * whether the solver draws noise, whatever the folder's `algorithm_type` says.
 */
export function resolveSchedulerConfig(
  name: SchedulerName,
  folderConfig: SchedulerConfig,
  overrides: SchedulerConfig = {},
): ResolvedConfig {
  const schedulerClass: SchedulerClass = SCHEDULER_CLASSES[name]
  const defaulted = folderConfig._use_default_values
  const given: Record<string, unknown> = Object.create(null)
  for (const [key, value] of Object.entries(folderConfig)) {
    if (!Array.isArray(defaulted) || !defaulted.includes(key)) given[key] = value
  }
  Object.assign(given, impliedByName(name, given, overrides), overrides)

  const config: Record<string, unknown> = { _class_name: schedulerClass.className }
  const faults: SchedulerFault[] = []
  for (const [key, spec] of Object.entries(schedulerClass.keys)) {
    const value = given[key]
    const reading = value === undefined ? { value: spec.fallback } : readKey(spec, value)
    if ('value' in reading) {
      config[key] = reading.value
    } else {
      config[key] = spec.fallback
      faults.push({ key, error: wrongValue(name, key, value, reading.expected) })
    }
  }
  for (const key of schedulerClass.inherited ?? []) {
    const value = given[key]
    if (typeof value !== 'number') continue
    if (value >= 0 && value <= MAX_INHERITED) config[key] = value
    else faults.push({ key, error: wrongValue(name, key, value, `a number from 0 to ${MAX_INHERITED}`) })
  }
  if (faults.length === 0) {
    for (const error of findConflicts(name, config)) faults.push({ key: null, error })
  }
  return { config, faults }
}

/** dpm++2m and dpm++2m-sde are one class: the name picks the variant of the folder's algorithm. */
function impliedByName(
  name: SchedulerName,
  folderConfig: SchedulerConfig,
  overrides: SchedulerConfig,
): SchedulerConfig {
  if (SCHEDULER_CLASSES[name].className !== 'DPMSolverMultistepScheduler') return {}
  const stochastic = name === 'dpm++2m-sde'
  const { algorithm_type: algorithm } = { ...folderConfig, ...overrides }
  if (typeof algorithm === 'string' && algorithm.startsWith('sde-') === stochastic) return {}
  return { algorithm_type: stochastic ? 'sde-dpmsolver++' : 'dpmsolver++' }
}

/** A folder's value may be a list of any length. */
function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`
}

function wrongValue(name: SchedulerName, key: string, value: unknown, expected: string): PregenError {
  return new PregenError('E_SCHEDULER_VALUE', `scheduler.${key} of ${name} is ${brief(value)}`, {
    help: `It must be ${expected}.`,
  })
}
