/** Whether a unit is done again, and why. Pure: a table of truth, without clock or disk. */
import { type DigestParts, explainChange } from './digest.ts'

/** How a recorded file stands on disk: its bytes as recorded, gone, or others. */
export type FileStanding = 'intact' | 'missing' | 'altered'

/** What the ledger remembers of a finished unit, as far as planning asks. */
export interface FinishedUnit {
  readonly digest: string
  readonly parts: DigestParts
  readonly files: readonly { readonly name: string }[]
}

export interface DecideInput {
  readonly digest: string
  readonly parts: DigestParts
  /** Names from `unitFiles`. */
  readonly expectedFiles: readonly string[]
  /** null: never finished here. */
  readonly entry: FinishedUnit | null
  /** By file name. A file without a state counts as missing. */
  readonly fileStates: ReadonlyMap<string, FileStanding>
  /** `--force`. */
  readonly force: boolean
}

export interface Decision {
  readonly action: 'run' | 'skip'
  /** `new`, `forced`, `prompt changed`, `2.png missing`, `final.png altered`, `complete`. */
  readonly reason: string
}

/**
 * | forced | entry | digest | files   | decision          |
 * |--------|-------|--------|---------|-------------------|
 * | yes    | any   | any    | any     | run: forced       |
 * | no     | none  |        | any     | run: new          |
 * | no     | one   | other  | any     | run: … changed    |
 * | no     | one   | same   | damaged | run: … missing, … altered |
 * | no     | one   | same   | intact  | skip: complete    |
 */
export function decideUnit(input: DecideInput): Decision {
  const { digest, parts, entry, expectedFiles, fileStates, force } = input
  if (force) return { action: 'run', reason: 'forced' }
  if (entry === null) return { action: 'run', reason: 'new' }
  if (entry.digest !== digest) {
    return { action: 'run', reason: explainChange(entry.parts, parts) ?? 'recorded by another version' }
  }
  const recorded = new Set(entry.files.map((file) => file.name))
  for (const name of expectedFiles) {
    const state = recorded.has(name) ? (fileStates.get(name) ?? 'missing') : 'missing'
    if (state !== 'intact') return { action: 'run', reason: `${name} ${state}` }
  }
  return { action: 'skip', reason: 'complete' }
}
