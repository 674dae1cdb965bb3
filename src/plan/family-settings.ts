/** Settings that a variant's family does not have: faults that name the families that have them. Guidance, warned of. */
import { formatPath, type SheetPath } from '../cue-sheet/faults.ts'
import { rowOf, SETTING_KEYS, SETTING_ROWS, type SettingName } from '../cue-sheet/setting-types.ts'
import type { FamilyFacts } from '../families/family.ts'
import { type GuidanceSettings, noGuidance, trueCfgScale } from '../families/guidance.ts'
import { FAMILIES, familyOf } from '../families/index.ts'
import { report, type VariantContext } from './variant-context.ts'

// Listed once: a sheet may have 100,000 units. Of "images" another place tells.
const ROWS = SETTING_ROWS.filter(({ onlySome, name }) => onlySome === 'or fault' && name !== 'images')
const FAMILY_FACTS: readonly FamilyFacts[] = FAMILIES

export interface FamilySettings {
  readonly check: (context: VariantContext) => void
  /** Reports what defaults and programs set for no model that has it; after the last variant. */
  readonly finish: () => void
}

/**
 * Where a cue or a variant sets it, the setting is for this model. Defaults and programs may set it for others: there it
 * is at fault only if no model that takes its value from there reads it.
 */
export function createFamilySettings(): FamilySettings {
  const shared = new Map<string, { context: VariantContext; name: SettingName; read: boolean }>()
  return {
    check(context) {
      const { variant, facts } = context
      const { takes }: FamilyFacts = familyOf(facts.family)
      for (const { name } of ROWS) {
        const origin = variant.origins[name]
        if (origin === undefined) continue
        const read = takes.includes(name)
        if (origin[0] === 'cues') {
          if (!read) refuse(context, name)
          continue
        }
        const key = formatPath(origin)
        const known = shared.get(key)
        shared.set(key, { context: known?.context ?? context, name, read: read || known?.read === true })
      }
    },
    finish() {
      for (const { context, name, read } of shared.values()) if (!read) refuse(context, name)
    },
  }
}

function refuse(context: VariantContext, name: SettingName): void {
  const { title } = familyOf(context.facts.family)
  const having = FAMILY_FACTS.filter(({ takes }) => takes.includes(name)).map((family) => family.title)
  const last = having.at(-1) ?? ''
  const families = having.length < 2 ? last : `${having.slice(0, -1).join(', ')} and ${last}`
  report(context, name, {
    code: 'E_SETTING_UNSUITED',
    why: `is a setting that the model "${context.model}" (${title}) does not have`,
    help: `${families} ${having.length === 1 ? 'has' : 'have'} ${keyOf(name)}. Take it away for this model.`,
  })
}

/**
 * Guidance that the sheet asks for and that does not come about, or that comes about where other models have none. Of
 * negative prompts `noteUse` tells.
 */
export function warnOfGuidance(context: VariantContext, settings: GuidanceSettings): void {
  const { variant, facts } = context
  const family: FamilyFacts = familyOf(facts.family)
  const { guidanceScale, negativePrompt } = settings
  const warn = (name: SettingName, why: string) => {
    const origin: SheetPath | undefined = variant.origins[name]
    if (origin === undefined) return
    context.faults.warn('W_GUIDANCE', context.sheet.locate(origin, 'key'), `${formatPath(origin)} ${why}.`)
  }
  if (family.guidance === 'true-cfg') {
    const scale = trueCfgScale(family, settings)
    if (scale > 1 && negativePrompt === undefined) {
      warn('trueCfgScale', `has no effect: ${family.title} needs a negative_prompt for it; " " is usual`)
    }
  }
  if (noGuidance(family) === 0 && guidanceScale > 0 && guidanceScale <= 1) {
    warn(
      'guidanceScale',
      `is guidance: ${family.title} counts from 0, so that ${guidanceScale} here is ${guidanceScale + 1} elsewhere, and 0 is none`,
    )
  }
}

function keyOf(name: SettingName): string {
  return SETTING_KEYS.find((key) => rowOf(key).name === name) ?? name
}
