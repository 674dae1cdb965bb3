/** How long a run will take: from the steps planned, and what earlier runs of the model took a step. */
import { errorCode } from '../errors.ts'
import type { SelectOptions } from '../run/options.ts'
import { planSheet } from '../tasks/plan-sheet.ts'

/** Who submits a run is answered within a second: planning that takes longer is left to the run. */
const PLAN_MS = 350

/** Seconds; null where nothing tells, or not in time. @throws PregenErrors with every fault of the sheet */
export async function expectSeconds(options: SelectOptions): Promise<number | null> {
  const tooLong = AbortSignal.timeout(PLAN_MS)
  try {
    const { totals } = await planSheet({ ...options, remoteImages: 'skip', signal: tooLong })
    return totals.expectedMs === null ? null : Math.round(totals.expectedMs / 100) / 10
  } catch (error) {
    if (tooLong.aborted && errorCode(error) === 'E_CANCELLED') return null
    throw error
  }
}
