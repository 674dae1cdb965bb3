/** From the command line's flags and the environment to the core's options: the only place that reads both. */
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { FAULT_ACTIONS, type FaultTable } from '../run/faults.ts'
import type { SelectOptions } from '../run/options.ts'
import { embeddedModels } from './version.ts'

/** Flags that `run` and `plan` share, as commander gives them. */
export interface SelectFlags {
  readonly out: string
  readonly versionId?: string
  readonly cue?: string
  readonly variant?: string
  readonly program?: string
  readonly shard?: string
  readonly shardTotal?: number
  readonly force?: boolean
  readonly allowPrivateUrls?: boolean
}

export function toSelectOptions(sheetPath: string, flags: SelectFlags): SelectOptions {
  const { out, versionId, cue, variant, program, shard, shardTotal } = flags
  return {
    sheetPath,
    env: process.env,
    outDir: out,
    versionId,
    cue,
    variant,
    program,
    shard,
    shardTotal,
    force: flags.force === true,
    allowPrivateUrls: flags.allowPrivateUrls === true,
    cacheDir: cacheFolder(),
    stateDir: stateFolder(),
    embeddedModels,
  }
}

/** `~/.cache/pregen`, or where the XDG base directories put it. */
export function cacheFolder(env = process.env): string {
  const base = env.XDG_CACHE_HOME
  return base !== undefined && isAbsolute(base) ? join(base, 'pregen') : join(homedir(), '.cache', 'pregen')
}

/** `~/.local/state/pregen`, or where the XDG base directories put it. */
export function stateFolder(env = process.env): string {
  const base = env.XDG_STATE_HOME
  return base !== undefined && isAbsolute(base)
    ? join(base, 'pregen')
    : join(homedir(), '.local/state/pregen')
}

/**
 * `PREGEN_FAULTS=preview-encode@2=throw,generated=kill`, for tests of what no disk or GPU does on demand.
 * @throws Error for anything else
 */
export function faultsFromEnv(text = process.env.PREGEN_FAULTS): FaultTable {
  if (text === undefined || text === '') return {}
  const table: Record<string, FaultTable[string]> = {}
  for (const entry of text.split(',')) {
    const split = entry.lastIndexOf('=')
    const action = FAULT_ACTIONS.find((known) => known === entry.slice(split + 1))
    if (split < 1 || action === undefined) {
      throw new Error(`PREGEN_FAULTS: "${entry}" is not point=${FAULT_ACTIONS.join('|')}`)
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
