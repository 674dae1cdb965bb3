/** Which variants the gallery shows, and in what order. */
import type { Variant, VariantState } from '../data/show.ts'
import { compareNatural } from './format.ts'

export const SORTS = ['sheet', 'name', 'slowest', 'seed'] as const
export type Sort = (typeof SORTS)[number]

export interface Filter {
  /** Words that must all be found, in ids, prompt, seed, scheduler, model or values of axes. */
  readonly text: string
  readonly program: string | null
  readonly state: VariantState | null
  readonly sort: Sort
}

export interface CueGroup {
  readonly cue: string
  /** What the prompts of its variants have in common: `a forest …`. */
  readonly prompt: string | null
  readonly variants: readonly Variant[]
}

/** What `text` is looked for in; kept, because thousands of variants are asked at each letter typed. */
const haystacks = new WeakMap<Variant, string>()

function haystackOf(variant: Variant): string {
  const known = haystacks.get(variant)
  if (known !== undefined) return known
  const { facts } = variant
  const parts = [variant.cue, variant.variant, variant.program, variant.prompt, variant.negativePrompt]
  const rest = [facts.seed, facts.scheduler, facts.model, ...Object.values(variant.axes ?? {})]
  const text = [...parts, ...rest]
    .filter((part) => part !== null)
    .join('\n')
    .toLowerCase()
  haystacks.set(variant, text)
  return text
}

export function filterVariants(variants: readonly Variant[], filter: Filter): readonly Variant[] {
  const words = filter.text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  return variants.filter(
    (variant) =>
      (filter.program === null || variant.program === filter.program) &&
      (filter.state === null || variant.state === filter.state) &&
      (words.length === 0 || words.every((word) => haystackOf(variant).includes(word))),
  )
}

/** Cues in the order in which they come, each with its variants in the order asked for. */
export function groupByCue(variants: readonly Variant[], sort: Sort): readonly CueGroup[] {
  const groups = new Map<string, Variant[]>()
  for (const variant of variants) {
    const group = groups.get(variant.cue)
    if (group) group.push(variant)
    else groups.set(variant.cue, [variant])
  }
  const compare = COMPARE[sort]
  const cues = [...groups.keys()]
  if (sort === 'name') cues.sort(compareNatural)
  return cues.map((cue) => {
    const members = groups.get(cue) ?? []
    const sorted = compare === null ? members : members.toSorted(compare)
    return { cue, prompt: sharedPrompt(members), variants: sorted }
  })
}

/** null where nothing is told, or nothing is shared. */
function sharedPrompt(variants: readonly Variant[]): string | null {
  const [first, ...others] = new Set(variants.flatMap(({ prompt }) => prompt || []))
  if (first === undefined || others.length === 0) return first ?? null
  const words = first.split(' ')
  const shared = others.reduce((count, other) => {
    const differs = other.split(' ').findIndex((word, place) => word !== words[place])
    return differs < 0 ? count : Math.min(count, differs)
  }, words.length)
  return shared === 0 ? null : `${words.slice(0, shared).join(' ')} …`
}

const COMPARE: Readonly<Record<Sort, ((a: Variant, b: Variant) => number) | null>> = {
  sheet: null,
  name: (a, b) => compareNatural(a.variant, b.variant),
  slowest: (a, b) => (b.facts.seconds ?? -1) - (a.facts.seconds ?? -1),
  seed: (a, b) => compareNatural(a.facts.seed ?? '', b.facts.seed ?? ''),
}

/** Programs with the number of their variants, by name. */
export function countPrograms(variants: readonly Variant[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>()
  for (const { program } of variants) counts.set(program, (counts.get(program) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => compareNatural(a, b))
}

export function countStates(variants: readonly Variant[]): Readonly<Record<VariantState, number>> {
  const counts = { done: 0, running: 0, waiting: 0, failed: 0 }
  for (const { state } of variants) counts[state] += 1
  return counts
}
