/** Variants that stand in the output folder and that the sheet has no more. */
import { confineIfThere } from '../artifacts/confinement.ts'
import { isVariantKey } from '../artifacts/layout.ts'
import type { LedgerContent } from '../artifacts/ledger.ts'
import { foldersIn } from '../storage/find-versions.ts'
import type { PreparedRun } from './prepared.ts'

/** Their keys, in order; of this version alone. */
export function strayOnDisk({ layout, sheetUnits }: PreparedRun, ledger: LedgerContent): readonly string[] {
  const folder = `${layout.prefix}/cues`
  const keys = new Set([...ledger.units.keys()].filter((key) => key.startsWith(`${folder}/`)))
  const inside = confineIfThere(layout.out)
  if (inside) {
    for (const cue of foldersIn(inside, folder)) {
      for (const variant of foldersIn(inside, `${folder}/${cue}`)) keys.add(`${folder}/${cue}/${variant}`)
    }
  }
  return [...keys].filter((key) => isVariantKey(key) && !sheetUnits.has(key)).sort()
}
