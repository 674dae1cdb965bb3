/** What the functions that draw share: the worker, the ledger, where events go, and the tallies of the run. */
import type { Layout } from '../artifacts/layout.ts'
import type { Ledger, LedgerFile } from '../artifacts/ledger.ts'
import type { ManifestAsset } from '../artifacts/manifest.ts'
import type { Faults } from '../engine/injection.ts'
import type { PreviewClient } from '../engine/preview-decoders.ts'
import type { InferenceWorker } from '../engine/worker-process.ts'
import type { EmitRunEvent } from './events.ts'
import type { InitImages } from './init-images.ts'
import type { RunOptions } from './options.ts'
import type { PrepareWarning } from './prepared.ts'
import type { UnitOutput } from './step-pictures.ts'

export interface DrawContext {
  readonly options: RunOptions
  readonly layout: Layout
  readonly ledger: Ledger
  readonly worker: InferenceWorker
  readonly emit: EmitRunEvent
  readonly faults: Faults
  readonly initImages: InitImages
  /** Base of absolute asset URLs; undefined: relative ones. */
  readonly publicUrl: string | undefined
  /** Whether a unit that is recorded owes a call to the sheet's callback. */
  readonly callbackOwed: boolean
  /** Units in work by their index, for the worker's news. */
  readonly active: Map<number, UnitOutput>
  /** Indexes of units that are done or have failed. */
  readonly settled: Set<number>
  /** The preview decoder's own thread for a model on the CPU, started when first used. */
  readonly previewClient: (path: string, channels: number) => PreviewClient
  /** Hands a finished unit to the uploader, and to the callback when it is whole in the bucket. Never throws. */
  readonly send: (
    key: string,
    files: readonly LedgerFile[],
    asset: ManifestAsset,
    isComplete: boolean,
  ) => void
  /** Tells a warning once. */
  readonly warn: (warning: PrepareWarning) => void
  readonly isStopped: () => boolean
  /** Stops the run: a signal, or the first failure under `--fail-fast`. */
  readonly stop: () => void
  readonly countDone: () => void
  readonly countFailed: () => void
  readonly modelLoadMs: () => number
  readonly setProvider: (provider: string) => void
  readonly addModelLoadMs: (durationMs: number) => void
}
