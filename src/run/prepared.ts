/** What is known before anything runs: the same for `plan` and `run`. */
import type { Layout } from '../artifacts/layout.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import type { AbsentWeights } from '../model/data-files.ts'
import type { ModelFolder } from '../model/folder.ts'
import type { RequestedProvider } from '../model/providers.ts'
import type { DigestParts } from '../plan/digest.ts'
import type { ModelFacts } from '../plan/model-facts.ts'
import type { Unit } from '../plan/unit.ts'

export interface PreparedUnit {
  readonly unit: Unit
  /** Place in the whole sheet, from 0; the same in every shard. */
  readonly index: number
  /** `foigoi/<version>/cues/<cue>/<variant>`, its name in the ledger. */
  readonly key: string
  readonly digest: string
  readonly parts: DigestParts
}

/** A unit's place in the sheet, whether or not this run means it. */
export interface SheetUnit {
  readonly cue: string
  readonly variant: string
  readonly index: number
}

export interface PreparedModel {
  readonly id: string
  readonly folder: ModelFolder
  readonly facts: ModelFacts
  /** What the sheet says of it, over `auto`. */
  readonly provider: RequestedProvider | undefined
  readonly pipeline: string | undefined
  readonly variant?: string | undefined
  readonly previewDecoder: string | undefined
  /** Weights that are not on this disk: of a plan alone. */
  readonly absent?: readonly AbsentWeights[]
}

export interface PrepareWarning {
  readonly code: string
  readonly message: string
}

export interface PreparedRun {
  /** `performance.now()` before anything was read: a run's wall time counts from here. */
  readonly startedAt: number
  readonly sheet: CueSheet
  readonly version: string
  readonly layout: Layout
  /** Of this shard and selection, in the sheet's order. */
  readonly units: readonly PreparedUnit[]
  /** Every unit of the sheet, selected or not, by key. */
  readonly sheetUnits: ReadonlyMap<string, SheetUnit>
  readonly models: ReadonlyMap<string, PreparedModel>
  /** `2/5`, or null. */
  readonly shard: string | null
  /** Units whose init image was not looked at, because nothing is fetched. */
  readonly uncheckedImages: ReadonlySet<Unit>
  readonly warnings: readonly PrepareWarning[]
}
