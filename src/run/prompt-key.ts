/** Which units share their conditioning: equal prompt sets are encoded once a run. */

import type { PromptJob } from '../engine/inference-calls.ts'
import type { Unit } from '../plan/unit.ts'

/** Everything of a unit that decides its conditioning. Guidance counts only in whether it is active. */
export function promptJobOf(unit: Unit): PromptJob {
  const request = {
    prompt: unit.prompt,
    negativePrompt: unit.negativePrompt,
    prompt2: unit.prompt2,
    negativePrompt2: unit.negativePrompt2,
    syntax: unit.promptSyntax,
    maxSequenceLength: unit.maxSequenceLength,
  }
  // null and undefined must stay apart from "", which JSON does.
  const key = JSON.stringify([
    ...Object.values(request).map((value) => value ?? null),
    unit.guidanceScale > 1,
  ])
  return { key, request, guidanceScale: unit.guidanceScale }
}
