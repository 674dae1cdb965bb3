/** `render`: a run in one call, with the command line's defaults; `plan`: what it would do. */
import type { RequestedProvider } from '../model/providers.ts'
import type { RunOptions } from '../run/options.ts'
import { type Run, startRun } from '../run/run.ts'
import { type PlanReport, planSheet } from '../tasks/plan-sheet.ts'
import { cacheFolder, standInForHome } from './home.ts'
import { embeddedModels, pageFolder } from './package.ts'

/** A cue sheet as an object of the same shape as the YAML; its relative paths start from the working folder. */
export type SheetObject = Readonly<Record<string, unknown>>

/** Every option has the command line's default. */
export interface RenderOptions {
  /** Where the tree is written; default `out`. */
  readonly out?: string | undefined
  /** To disk only: no bucket, no credentials, no network. */
  readonly dryRun?: boolean | undefined
  /** Aborted: as `cancel`, and what is being read or fetched before the run is given up. */
  readonly signal?: AbortSignal | undefined
  /** The version, over PREGEN_VERSION_ID and the sheet. */
  readonly versionId?: string | undefined
  /** Globs: only these cues, variants, programs. */
  readonly cue?: string | undefined
  readonly variant?: string | undefined
  readonly program?: string | undefined
  /** `2/5`; default: what the batch system says, else everything. */
  readonly shard?: string | undefined
  readonly shardTotal?: number | undefined
  /** Do units again that are whole already. */
  readonly force?: boolean | undefined
  /** Stop at the first unit that fails. */
  readonly failFast?: boolean | undefined
  readonly provider?: RequestedProvider | undefined
  /** Device ids of the provider, one inference process each; `all`: every card that CUDA sees. */
  readonly devices?: readonly number[] | 'all' | undefined
  /** Pictures a call, over the sheet's; `auto`: as many as pay on the device. */
  readonly batch?: number | 'auto' | undefined
  /** CPU threads for inference. */
  readonly threads?: number | undefined
  /** Uploads in flight. */
  readonly concurrency?: number | undefined
  /** Keep `<out>/.pregen/live/<cue>/<variant>_preview.png` at the newest preview. */
  readonly liveFile?: boolean | undefined
  /** Compare the bucket's listing before anything counts as uploaded. */
  readonly verifyRemote?: boolean | undefined
  /** Let image and callback URLs point at private addresses. */
  readonly allowPrivateUrls?: boolean | undefined
  /** For `${NAME}` in the sheet, credentials aside; default: the process's own. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Where hashes of big model files are kept between runs; default as the command line's, null: nowhere. */
  readonly cacheDir?: string | null | undefined
}

/**
 * Renders what a cue sheet asks for and is not there yet. Returns at once; events, result and cancel are the run's.
 * @param sheet path of a cue sheet, or the sheet itself
 */
export function render(sheet: string | SheetObject, options: RenderOptions = {}): Run {
  return startRun(toRunOptions(sheet, options))
}

/**
 * What `render` would do, and why, without doing it.
 * @throws PregenError with every fault of sheet, models and images in `errors`
 */
export function plan(sheet: string | SheetObject, options: RenderOptions = {}): Promise<PlanReport> {
  return planSheet(toRunOptions(sheet, options))
}

function toRunOptions(sheet: string | SheetObject, options: RenderOptions): RunOptions {
  standInForHome()
  const { env = process.env, out, cacheDir, signal, ...rest } = options
  return {
    ...rest,
    ...(typeof sheet === 'string' ? { sheetPath: sheet } : sheetOf(sheet)),
    env,
    outDir: out ?? 'out',
    signal: signal ?? new AbortController().signal,
    cacheDir: cacheDir === null ? undefined : (cacheDir ?? cacheFolder(env)),
    embeddedModels,
    pageFolder,
    force: options.force === true,
    dryRun: options.dryRun === true,
    failFast: options.failFast === true,
    liveFile: options.liveFile === true,
    verifyRemote: options.verifyRemote === true,
    allowPrivateUrls: options.allowPrivateUrls === true,
    injection: {},
  }
}

/** JSON is YAML: an object goes the way of a file, and its faults are told by the same words. */
function sheetOf(sheet: SheetObject): Pick<RunOptions, 'sheetPath' | 'sheetBytes'> {
  const text = JSON.stringify(
    sheet,
    (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
    2,
  )
  return { sheetPath: 'sheet', sheetBytes: Buffer.from(text) }
}
