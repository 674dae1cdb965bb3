/** Every model family that pregen draws with. A new one is a folder beside these and an entry in the list. */
import { chroma } from './chroma/facts.ts'
import { flux } from './flux/facts.ts'
import { flux2 } from './flux2/facts.ts'
import { lcm } from './lcm/facts.ts'
import { qwenimage } from './qwenimage/facts.ts'
import { sd } from './sd/facts.ts'
import { sd3 } from './sd3/facts.ts'
import { sdxl } from './sdxl/facts.ts'
import { wan } from './wan/facts.ts'
import { zimage } from './zimage/facts.ts'

export const FAMILIES = [sd, sdxl, sd3, lcm, flux, chroma, flux2, zimage, qwenimage, wan] as const

export type Family = (typeof FAMILIES)[number]
export type FamilyName = Family['name']
type Contract = Family['contract'][number]
/** A component's folder: `unet`, `text_encoder_2`. */
export type ComponentName = Contract['component']
export type TokenizerName = Extract<Contract, { tokenizer: string }>['tokenizer']

export const FAMILY_NAMES: readonly FamilyName[] = FAMILIES.map(({ name }) => name)

const CONTRACTS: readonly Contract[] = FAMILIES.flatMap(({ contract }): readonly Contract[] => contract)

/** Of all families, each once. */
export const COMPONENT_NAMES: readonly ComponentName[] = [
  ...new Set(CONTRACTS.map(({ component }) => component)),
]
export const TOKENIZER_NAMES: readonly TokenizerName[] = [
  ...new Set(CONTRACTS.flatMap((contract) => ('tokenizer' in contract ? [contract.tokenizer] : []))),
]

const BY_NAME = new Map<string, Family>(FAMILIES.map((family) => [family.name, family]))

export function familyOf(name: FamilyName): Family {
  const family = BY_NAME.get(name)
  if (family === undefined) throw new Error(`there is no family "${name}"`)
  return family
}
