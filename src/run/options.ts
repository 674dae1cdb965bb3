/** Everything that a run is told from outside, gathered once at the edge. The core reads nothing else. */

import type { InjectionTable } from '../engine/injection.ts'
import type { RequestedProvider } from '../model/providers.ts'

export interface SelectOptions {
  /** Path of the cue sheet, or what messages call it. */
  readonly sheetPath: string
  /** The sheet itself, where it is no file. */
  readonly sheetBytes?: Uint8Array | undefined
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
  /** Model folders that a sheet may name without declaring them, by id. */
  readonly embeddedModels: Readonly<Record<string, string>>
  /** Aborted: what is being read or fetched is given up; a run finishes what is cheap, then ends. */
  readonly signal?: AbortSignal | undefined
}

export interface RunOptions extends SelectOptions {
  /** Disk only: no bucket, no credentials, no network. */
  readonly dryRun: boolean
  readonly failFast: boolean
  /** undefined: what the sheet says of the model, else `auto`. */
  readonly provider?: RequestedProvider | undefined
  /** Device ids of the provider, one inference process each; undefined: one process on its first device. */
  readonly devices?: readonly number[] | undefined
  readonly threads?: number | undefined
  /** Uploads in flight; undefined: the sheet's, else 16. */
  readonly concurrency?: number | undefined
  readonly liveFile: boolean
  readonly verifyRemote: boolean
  readonly signal: AbortSignal
  /** Points at which tests break the run; empty in the product. */
  readonly injection: InjectionTable
}
