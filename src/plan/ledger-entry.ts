/** What a run remembers of a finished unit. The ledger keeps one a unit; planning reads it. */
import type { DigestParts } from './digest.ts'

export interface LedgerFile {
  /** As in `unitFiles`: `1.png`, `final.png`, `timing.json`. */
  readonly name: string
  /** Lower-case hex. */
  readonly sha256: string
  readonly sizeBytes: number
  /** Modification time when it was written, in ms: unmoved time and size spare a hash. */
  readonly mtimeMs: number
}

export interface LedgerEntry {
  readonly digest: string
  readonly parts: DigestParts
  readonly files: readonly LedgerFile[]
}
