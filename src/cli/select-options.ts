/** From the command line's flags and the environment to the core's options: the only place that reads both. */
import { INJECTED_ACTIONS, type InjectionTable } from '../engine/injection.ts'
import { cacheFolder, stateFolder } from '../library/home.ts'
import { embeddedModels } from '../library/package.ts'
import type { ReadSheetOptions, SelectOptions } from '../run/options.ts'
import { concealVariable } from './concealed.ts'

/** Flags of every command that reads a sheet. */
export interface SheetFlags {
  readonly env?: readonly string[]
  readonly envAll?: boolean
}

/** What a sheet is read with: the environment, and how much of it the sheet may see. */
export function toReadOptions({ env, envAll }: SheetFlags): ReadSheetOptions {
  return {
    env: process.env,
    allowedVariables: envAll === true ? 'all' : (env ?? []),
    onVariable: concealVariable,
    embeddedModels,
  }
}

/** Flags that `run` and `plan` share, as commander gives them. */
export interface SelectFlags extends SheetFlags, EndpointFlags {
  readonly out: string
  readonly versionId?: string
  readonly cue?: string
  readonly variant?: string
  readonly program?: string
  readonly shard?: string
  readonly shardTotal?: number
  readonly force?: boolean
  readonly allowPrivateUrls?: boolean
  readonly fetch?: boolean
  readonly trustSize?: boolean
}

/** How far an endpoint may lead: flags of every command that meets a bucket. */
export interface EndpointFlags {
  readonly allowLocalEndpoint?: boolean
  readonly allowPrivateEndpoint?: boolean
}

/** The flags, or their variables, which whoever starts the process sets and no sheet can. */
export function toEndpointPolicy(flags: EndpointFlags, env = process.env) {
  const isOn = (name: string) => !['', '0', 'false', undefined].includes(env[name])
  return {
    env,
    allowLocalEndpoint: flags.allowLocalEndpoint === true || isOn('PREGEN_ALLOW_LOCAL_ENDPOINT'),
    allowPrivateEndpoint: flags.allowPrivateEndpoint === true || isOn('PREGEN_ALLOW_PRIVATE_ENDPOINT'),
  }
}

export function toSelectOptions(sheetPath: string, flags: SelectFlags): SelectOptions {
  const { out, versionId, cue, variant, program, shard, shardTotal } = flags
  return {
    ...toReadOptions(flags),
    sheetPath,
    outDir: out,
    versionId,
    cue,
    variant,
    program,
    shard,
    shardTotal,
    force: flags.force === true,
    trustSize: flags.trustSize === true,
    allowPrivateUrls: flags.allowPrivateUrls === true,
    ...toEndpointPolicy(flags),
    cacheDir: cacheFolder(process.env),
    stateDir: stateFolder(process.env),
  }
}

/**
 * `PREGEN_FAULTS=preview-encode@2=throw,generated=kill`, for tests of what no disk or GPU does on demand.
 * @throws Error for anything else
 */
export function injectionFromEnv(text = process.env.PREGEN_FAULTS): InjectionTable {
  if (text === undefined || text === '') return {}
  const table: Record<string, InjectionTable[string]> = {}
  for (const entry of text.split(',')) {
    const split = entry.lastIndexOf('=')
    const action = INJECTED_ACTIONS.find((known) => known === entry.slice(split + 1))
    if (split < 1 || action === undefined) {
      throw new Error(`PREGEN_FAULTS: "${entry}" is not point=${INJECTED_ACTIONS.join('|')}`)
    }
    table[entry.slice(0, split)] = action
  }
  return table
}

/** Whether a CI system runs this; all of them set CI. */
export function isCi(): boolean {
  const { CI } = process.env
  return CI !== undefined && CI !== '' && CI !== 'false' && CI !== '0'
}

/** Whether the terminal says that it cannot move its cursor, which bars need. */
export function isDumbTerminal(): boolean {
  return process.env.TERM === 'dumb'
}
