/** Which units share their conditioning: equal prompt sets are encoded once a run. */
import { pickSettings } from '../cue-sheet/setting-types.ts'
import type { PromptJob } from '../engine/inference-calls.ts'
import type { Unit } from '../plan/unit.ts'

/** Everything of a unit that decides its conditioning. Guidance counts only in whether it is active. */
export function promptJobOf(unit: Unit): PromptJob {
  const request = pickSettings('prompt', unit)
  // null and undefined must stay apart from "", which JSON does.
  const key = JSON.stringify([...Object.values(request).map((value) => value ?? null), unit.guided])
  return { key, request, withNegative: unit.guided }
}
