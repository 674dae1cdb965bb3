/** From the command line's flags and the environment to the core's options: the only place that reads both. */
import { INJECTED_ACTIONS, type InjectionTable } from '../engine/injection.ts'
import { embeddedModels } from '../library/package.ts'
import { cacheFolder } from '../library/render.ts'
import type { SelectOptions } from '../run/options.ts'

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
    cacheDir: cacheFolder(process.env),
    embeddedModels,
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
