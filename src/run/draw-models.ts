/** Everything that is drawn in a run: one model after the other, each loaded once. */

import { drawModel } from './draw-model.ts'
import type { Drawing } from './drawing.ts'
import { groupBy } from './group-by.ts'
import type { PreparedRun, PreparedUnit } from './prepared.ts'

/** @throws PregenError `E_PROVIDER_UNAVAILABLE`; every other fault is a unit's */
export async function drawModels(
  drawing: Drawing,
  { models }: Pick<PreparedRun, 'models'>,
  units: readonly PreparedUnit[],
): Promise<void> {
  // Models in the order of the sheet.
  for (const [id, own] of groupBy(units, ({ unit }) => unit.model)) {
    const model = models.get(id)
    if (!model) throw new Error(`model ${id} was planned but not prepared`)
    if (!drawing.ending.aborted) await drawModel(drawing, model, own)
  }
}
