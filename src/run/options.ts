/** Everything that a run is told from outside, gathered once at the edge. The core reads nothing else. */
import type { RequestedProvider } from '../model/providers.ts'
import type { FaultTable } from './faults.ts'

export interface SelectOptions {
  /** Path of the cue sheet. */
  readonly sheetPath: string
  /** `${NAME}` in the sheet, PREGEN_VERSION_ID and the batch system's shard numbers are read from here. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** `--out`. */
  readonly outDir: string
  readonly versionId?: string | undefined
  readonly cue?: string | undefined
  readonly variant?: string | undefined
  readonly program?: string | undefined
  /** `i/n`, or undefined: what the batch system says, else everything. */
  readonly shard?: string | undefined
  readonly shardTotal?: number | undefined
  readonly force: boolean
  readonly allowPrivateUrls: boolean
  /** Where hashes of big model files are kept between runs; undefined: they are hashed each time. */
  readonly cacheDir: string | undefined
  /** The user's own, where the key lies that marks what this user wrote; undefined: marks hold for one run alone. */
  readonly stateDir?: string | undefined
  /** Model folders that a sheet may name without declaring them, by id. */
  readonly embeddedModels: Readonly<Record<string, string>>
}

export interface RunOptions extends SelectOptions {
  /** Disk only: no bucket, no credentials, no network. */
  readonly dryRun: boolean
  readonly failFast: boolean
  /** undefined: what the sheet says of the model, else `auto`. */
  readonly provider?: RequestedProvider | undefined
  readonly deviceId?: number | undefined
  readonly threads?: number | undefined
  /** Uploads in flight; undefined: the sheet's, else 16. */
  readonly concurrency?: number | undefined
  readonly liveFile: boolean
  readonly verifyRemote: boolean
  /** Aborted by the first signal: finish what is cheap, then end. */
  readonly signal: AbortSignal
  readonly faults: FaultTable
}
