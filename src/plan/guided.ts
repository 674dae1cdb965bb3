import { type GuidanceSettings, usesNegativePrompt } from '../families/guidance.ts'
import { familyOf } from '../families/index.ts'
import type { ModelFacts } from './model-facts.ts'

/** Whether a picture of this model is guided by a second evaluation, for its negative prompt. */
export function isGuided({ family }: Pick<ModelFacts, 'family'>, settings: GuidanceSettings): boolean {
  return usesNegativePrompt(familyOf(family), settings)
}
