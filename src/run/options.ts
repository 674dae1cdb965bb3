/** Everything that a run is told from outside, gathered once at the edge. The core reads nothing else. */
import type { RowFile } from '../cue-sheet/row-file.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import type { AllowedVariables } from '../cue-sheet/variables.ts'
import type { RequestedDevices } from '../engine/choose-devices.ts'
import type { InjectionTable } from '../engine/injection.ts'
import type { PregenError } from '../errors.ts'
import type { HashOptions } from '../model/file-hash.ts'
import type { RequestedProvider } from '../model/providers.ts'
import type { EndpointPolicy } from '../storage/s3-endpoint.ts'

/** What reading a sheet needs beside its path. */
export interface ReadSheetOptions {
  /** `${NAME}` in the sheet, as far as it may read it. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Names beside `PREGEN_*` that the sheet may read; `all`: every one. Default: none. */
  readonly allowedVariables?: AllowedVariables | undefined
  /** Told of each variable that the sheet holds now, for a last look at what is shown. */
  readonly onVariable?: ((name: string, value: string) => void) | undefined
  /** Model folders that a sheet may name without declaring them, by id. */
  readonly embeddedModels: Readonly<Record<string, string>>
}

/** `env`: PREGEN_VERSION_ID and the batch system's shard numbers are read from there, too. */
export interface SelectOptions extends ReadSheetOptions, EndpointPolicy {
  /** undefined: what the sheet says of the model, else `auto`. */
  readonly provider?: RequestedProvider | undefined
  /** Path of the cue sheet, or what messages call it. */
  readonly sheetPath: string
  /** The sheet itself, where it is no file. */
  readonly sheetBytes?: Uint8Array | undefined
  /** The files of rows that it names, where they are no files either. */
  readonly rowFiles?: ReadonlyMap<string, RowFile> | undefined
  /** Judges a sheet before anything that it names is looked at; what it throws ends the planning. */
  readonly checkSheet?: ((sheet: CueSheet) => void) | undefined
  /** Folders of models by id, over what the sheet says of them. */
  readonly modelPlaces?: Readonly<Record<string, string>> | undefined
  /**
   * Told of a model that this machine has not: its units are left out, and the others keep their places. Without it a
   * model that is missing is a fault.
   */
  readonly onAbsentModel?: ((id: string, faults: readonly PregenError[]) => void) | undefined
  /** Variables that `storage` and `callback` alone use are not needed: a dry run and a plan send nothing. */
  readonly withoutTargets?: boolean | undefined
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
  /**
   * What becomes of an init image behind a URL: it is fetched (the default); a unit that would have to be drawn from
   * it is refused; or it goes unchecked. Nothing is asked of the network in the last two cases.
   */
  readonly remoteImages?: 'fetch' | 'refuse' | 'skip' | undefined
  /** Where hashes of big model files are kept between runs; undefined: they are hashed each time. */
  readonly cacheDir: string | undefined
  /** As `HashOptions`. */
  readonly onHash?: HashOptions['onHash']
  readonly trustSize?: boolean | undefined
  /** For a plan, which loads nothing: weights that are not there are a warning, and their sizes count. */
  readonly withoutWeights?: boolean | undefined
  /** The user's own, where the key lies that marks what this user wrote; undefined: marks hold for one run alone. */
  readonly stateDir?: string | undefined
  /** Aborted: what is being read or fetched is given up; a run finishes what is cheap, then ends. */
  readonly signal?: AbortSignal | undefined
}

export interface RunOptions extends SelectOptions {
  /** The run's id, where it was given one before it began; made anew without. */
  readonly runId?: string | undefined
  /** Disk only: no bucket, no credentials, no network. */
  readonly dryRun: boolean
  readonly failFast: boolean
  /** One inference process each; undefined: one process on the provider's first device. */
  readonly devices?: RequestedDevices | undefined
  readonly threads?: number | undefined
  /** Pictures a call, over the sheet's; `auto`: as many as pay on the device. Undefined: the sheet's. */
  readonly batch?: number | 'auto' | undefined
  /** Uploads in flight; undefined: the sheet's, else 16. */
  readonly concurrency?: number | undefined
  readonly liveFile: boolean
  readonly verifyRemote: boolean
  /** Units that the bucket holds whole are brought into the folder; else they stay there alone. */
  readonly pull?: boolean | undefined
  /** The built page, which a sheet with `gallery` puts beside the pictures; undefined: nothing is put there. */
  readonly pageFolder?: string | undefined
  readonly signal: AbortSignal
  /** Aborted: the pictures in hand are finished, and no other is begun. */
  readonly draining?: AbortSignal | undefined
  /** Points at which tests break the run; empty in the product. */
  readonly injection: InjectionTable
}
