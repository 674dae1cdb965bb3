/** What guidance does to a picture, by the family's rule and by what the model's own files show. */
import type { FamilyFacts } from '../families/family.ts'
import { type GuidanceSettings, usesNegativePrompt } from '../families/guidance.ts'
import { familyOf } from '../families/index.ts'
import type { ModelFacts } from './model-facts.ts'

type GuidedFacts = Pick<ModelFacts, 'family' | 'guidance'>

/** Whether a picture of this model is guided by a second evaluation, for its negative prompt. */
export function isGuided(facts: GuidedFacts, settings: GuidanceSettings): boolean {
  const family = familyOf(facts.family)
  if (family.guidance !== 'true-cfg' && roleOfScale(facts) !== 'second-evaluation') return false
  return usesNegativePrompt(family, settings)
}

/** What guidance_scale does. */
export function roleOfScale({ family, guidance }: GuidedFacts): NonNullable<ModelFacts['guidance']> {
  const { guidance: kind } = familyOf(family)
  return guidance ?? (kind === 'distilled' || kind === 'true-cfg' ? 'input' : 'second-evaluation')
}

/** Whether guidance makes two of a picture in a call, or would. */
export function rowsAsked(facts: GuidedFacts, guided: boolean): { isDoubled: boolean; canDouble: boolean } {
  const { stacksGuidance }: FamilyFacts = familyOf(facts.family)
  const isStacked = stacksGuidance === true
  return {
    isDoubled: guided && isStacked,
    canDouble: isStacked && roleOfScale(facts) === 'second-evaluation',
  }
}
