/** What the table of settings says of one setting; everything that the product knows of it derives from its row. */
import type { ErrorCode } from '../error-codes.ts'
import type { z } from '../zod.ts'
import type { SheetPath } from './faults.ts'
import type { LayerContext } from './layer-context.ts'

/** Where a value stands, for readers that have more to say than its type. */
export interface ValuePlace {
  readonly path: SheetPath
  readonly context: LayerContext
}

export interface SettingRow {
  /** In a unit and in a family's facts; two keys may set one. */
  readonly name: string
  /** Type and range of the value in the sheet. */
  readonly schema: z.ZodType
  /** For editors, in the JSON Schema. */
  readonly description: string
  /** Code of a value of the wrong type or range. */
  readonly code: ErrorCode
  /** Goes on after "must be". */
  readonly must: string
  /** Type and range, default, and what it does: its line in docs/cue-sheet.md. */
  readonly docs: readonly [type: string, otherwise: string, text: string]
  /** What the value becomes; absent: it stays what it is. undefined after a fault. */
  readonly read?: (value: never, place: ValuePlace) => unknown
  /** The key that stands in its place: both together are a fault. */
  readonly deprecatedFor?: string
  /**
   * Who is told: the text encoders (`prompt`), the denoiser (`picture`), whoever writes files (`files`), or none but the
   * plan, which makes something else of it (`plan`).
   */
  readonly goes: 'prompt' | 'picture' | 'files' | 'plan'
  /** The value where no level sets one; `family`: the model's own default. Absent: none. */
  readonly otherwise?: unknown
  /** What pictures of one model call must have alike: the value, whether there is one, or nothing. */
  readonly batch: 'shared' | 'presence' | 'own'
  /** Without a starting picture it is a fault, but for what defaults set. */
  readonly needsImage?: boolean | 'or video'
  /** Means nothing to some families: see `takes` of their facts. `or fault`: there it is refused, not passed over. */
  readonly onlySome?: boolean | 'or fault'
  /** What decides pixels or files is part of a unit's digest. */
  readonly digest?: DigestPart
}

export interface DigestPart {
  /** Its name among the parts; a unit's own name where nothing else is made of it. */
  readonly part: string
  /** For reasons: `negative prompt changed`. Absent: the part's name. */
  readonly word?: string
  /**
   * Settings of the first release stand as null where they are not set. A later one must leave nothing, so that the
   * digests of older units stay what they are.
   */
  readonly nullIfAbsent?: true
}

/** Keeps the literal names and choices of a row, of which types are made. */
export function defineSetting<const Row extends SettingRow>(row: Row): Row {
  return row
}
