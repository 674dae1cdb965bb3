/** Which units are done again: the plan's pure rule, fed with the ledger and the state of the files on disk. */
import { inspectFiles } from '../artifacts/file-state.ts'
import type { LedgerContent, LedgerFile } from '../artifacts/ledger.ts'
import { decideUnit, type FileState } from '../plan/decide.ts'
import { unitFiles } from '../plan/unit-files.ts'
import type { PreparedRun, PreparedUnit } from './prepared.ts'

export interface Decision {
  readonly entry: PreparedUnit
  readonly action: 'run' | 'skip'
  /** `new`, `prompt changed`, `2.png missing`, … */
  readonly reason: string
  /** Records of files that were touched but hold what they held, with their new times. */
  readonly refreshed: readonly LedgerFile[]
}

// Folders looked at side by side: enough to keep a disk busy, few enough for its queue.
const AT_ONCE = 32

/** Decides every unit of a run, in its order. Reads files' states, and their content where a time moved. */
export async function decideUnits(
  prepared: PreparedRun,
  ledger: LedgerContent,
  force: boolean,
): Promise<Decision[]> {
  const decisions: Decision[] = []
  for (let from = 0; from < prepared.units.length; from += AT_ONCE) {
    const some = prepared.units.slice(from, from + AT_ONCE)
    decisions.push(...(await Promise.all(some.map((entry) => decide(prepared, ledger, entry, force)))))
  }
  return decisions
}

async function decide(
  { layout }: PreparedRun,
  ledger: LedgerContent,
  entry: PreparedUnit,
  force: boolean,
): Promise<Decision> {
  const { unit, key, digest, parts } = entry
  const recorded = ledger.units.get(key) ?? null
  // Another digest decides alone: its files need no look.
  const states =
    recorded === null || force || recorded.digest !== digest
      ? []
      : await inspectFiles(layout.variantFolder(unit.cue, unit.variant), recorded.files)
  const fileStates = new Map(states.map(({ name, fault }): [string, FileState] => [name, fault ?? 'intact']))
  const expectedFiles = unitFiles(unit)
  const decision = decideUnit({ digest, parts, expectedFiles, entry: recorded, fileStates, force })
  const refreshed = states.flatMap((state) => (state.refreshed ? [state.refreshed] : []))
  return { entry, ...decision, refreshed }
}
