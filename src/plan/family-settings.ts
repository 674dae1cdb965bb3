/** Settings that a variant's family does not read: a warning, or a fault that names the families that have it. */
import { formatPath, type SheetPath } from '../cue-sheet/faults.ts'
import { rowOf, SETTING_KEYS, SETTING_ROWS, type SettingName } from '../cue-sheet/setting-types.ts'
import type { FamilyFacts } from '../families/family.ts'
import { type GuidanceSettings, noGuidance, trueCfgScale } from '../families/guidance.ts'
import { FAMILIES, familyOf } from '../families/index.ts'
import { report, type VariantContext } from './variant-context.ts'

// Listed once: a sheet may have 100,000 units.
const SOME_ROWS = SETTING_ROWS.filter(({ onlySome }) => onlySome)
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
      for (const { name, onlySome } of SOME_ROWS) {
        const origin = variant.origins[name]
        if (origin === undefined) continue
        const read = takes.includes(name)
        // A fault, which is told elsewhere.
        if (name === 'images') continue
        if (origin[0] === 'cues') {
          if (!read) (onlySome === 'or fault' ? refuse : warnOfUnused)(context, name)
        } else if (onlySome === 'or fault') {
          const key = formatPath(origin)
          const known = shared.get(key)
          shared.set(key, { context: known?.context ?? context, name, read: read || known?.read === true })
        }
      }
      warnOfIgnored(context)
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

function warnOfUnused({ variant, sheet, faults, facts }: VariantContext, name: SettingName): void {
  const origin = variant.origins[name]
  if (origin === undefined) return
  const message = `${formatPath(origin)} has no effect: ${familyOf(facts.family).title} does not read it.`
  faults.warn('W_SETTING_UNUSED', sheet.locate(origin, 'key'), message)
}

function warnOfIgnored(context: VariantContext): void {
  const { ignores = [] }: FamilyFacts = familyOf(context.facts.family)
  for (const { name } of SETTING_ROWS) {
    if (ignores.includes(name) && context.variant.origins[name]?.[0] === 'cues') warnOfUnused(context, name)
  }
}

/** Guidance that the sheet asks for and that does not come about, or that comes about where other models have none. */
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
    if (scale <= 1 && negativePrompt !== undefined && variant.origins.negativePrompt?.[0] === 'cues') {
      warn('negativePrompt', `has no effect: ${family.title} reads it above a true_cfg_scale of 1`)
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
