/** Which units are done again: the plan's pure rule, fed with the ledger and the state of the files on disk. */
import { type Confinement, confine } from '../artifacts/confinement.ts'
import { type FileState, inspectFiles } from '../artifacts/file-state.ts'
import type { LedgerContent, LedgerFile } from '../artifacts/ledger.ts'
import { decideUnit, type FileStanding } from '../plan/decide.ts'
import { unitFiles } from '../plan/unit-files.ts'
import type { PreparedRun, PreparedUnit } from './prepared.ts'

export interface UnitDecision {
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
): Promise<UnitDecision[]> {
  const { layout, units } = prepared
  const states = new Map<PreparedUnit, readonly FileState[]>()
  // Another digest decides alone: its files need no look.
  const toLookAt = units.filter(({ key, digest }) => !force && ledger.units.get(key)?.digest === digest)
  const inside: Confinement | undefined = toLookAt.length > 0 ? confine(layout.out) : undefined
  for (let from = 0; from < toLookAt.length; from += AT_ONCE) {
    const look = async (entry: PreparedUnit) => {
      const { unit, key } = entry
      const files = ledger.units.get(key)?.files ?? []
      const folder = layout.variantFolder(unit.cue, unit.variant)
      states.set(entry, await inspectFiles(folder, files, { inside }))
    }
    await Promise.all(toLookAt.slice(from, from + AT_ONCE).map(look))
  }
  return units.map((entry) => decide(ledger, entry, states.get(entry) ?? [], force))
}

function decide(
  ledger: LedgerContent,
  entry: PreparedUnit,
  states: readonly FileState[],
  force: boolean,
): UnitDecision {
  const { unit, key, digest, parts } = entry
  const recorded = ledger.units.get(key) ?? null
  const fileStates = new Map(
    states.map(({ name, fault }): [string, FileStanding] => [name, fault ?? 'intact']),
  )
  const expectedFiles = unitFiles(unit)
  const decision = decideUnit({ digest, parts, expectedFiles, entry: recorded, fileStates, force })
  const refreshed = states.flatMap((state) => (state.refreshed ? [state.refreshed] : []))
  return { entry, ...decision, refreshed }
}
