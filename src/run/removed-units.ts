/** Units that were finished in this run, and whose files somebody has removed since. */
import { join } from 'node:path'
import { stateInside } from '../artifacts/confined-files.ts'
import { confine } from '../artifacts/confinement.ts'
import { TIMING_NAME } from '../artifacts/file-names.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import { DRAW_MISSING } from '../artifacts/output-folder.ts'
import type { EmitRunEvent } from './events.ts'
import type { PreparedRun } from './prepared.ts'
import { type RunState, unitOf } from './state.ts'

/** Tells of each as failed, and forgets it: no manifest lists what is not there. */
export async function findRemovedUnits(
  { layout, units }: PreparedRun,
  ledger: Ledger,
  state: RunState,
  emit: EmitRunEvent,
): Promise<void> {
  const inside = confine(layout.out)
  for (const { unit, key } of units) {
    const { cue, variant } = unit
    if (unitOf(state, `${cue}/${variant}`)?.status !== 'done') continue
    const names = ledger.units.get(key)?.files.map(({ name }) => name) ?? []
    // The marker is written last, and whoever removes a folder removes it with the rest.
    const last = names.includes(TIMING_NAME) ? TIMING_NAME : names.at(-1)
    const folder = layout.variantFolder(cue, variant)
    if (last === undefined || (await stateInside(inside, join(folder, last))) !== null) continue
    await ledger.forgetUnit(key)
    const message = `${folder} was removed after it was finished`
    emit({
      type: 'unit-failed',
      cue,
      variant,
      stage: 'write',
      code: 'E_OUTPUT_REMOVED',
      message,
      help: DRAW_MISSING,
    })
  }
}
