/** What a person may have meant by a word that is none of those that exist. */
import { distance } from 'fastest-levenshtein'
import { shorten } from './printable.ts'

/** Nobody's finger slips in a longer word. */
const MAX_WORD_CHARS = 100
/** Beyond these, a sheet's own names are not compared. */
const MAX_CANDIDATES = 1000
/** Our own lists, of keys and schedulers, are shown whole. */
const MAX_WORDS = 40

/**
 * The candidate nearest to `word` when it is near enough to be a slip of the finger; else one that shares its
 * beginning or end (`guidance`, `num_inference_steps`), else undefined.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > MAX_WORD_CHARS) return undefined
  const wanted = word.toLowerCase().replaceAll('-', '_')
  let best: string | undefined
  // Two letters that changed places count as two edits.
  let bestDistance = (word.length <= 3 ? 1 : Math.max(2, Math.floor(Math.min(word.length, 12) / 3))) + 1
  const near = candidates.slice(0, MAX_CANDIDATES).filter(({ length }) => length <= MAX_WORD_CHARS)
  for (const candidate of near) {
    const found = distance(wanted, candidate.toLowerCase().replaceAll('-', '_'))
    if (found < bestDistance) {
      best = candidate
      bestDistance = found
    }
  }
  return best ?? near.find((candidate) => shareAPart(wanted, candidate.toLowerCase()))
}

/** Whether one is the first or the last words of the other. */
function shareAPart(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  return short.length >= 4 && (long.startsWith(`${short}_`) || long.endsWith(`_${short}`))
}

/** Names of a sheet that one message lists. */
const MAX_LISTED = 10

/** `dawn, storm`, or `a, b, … and 990 more`: the first of a sheet's own names. */
export function listNames(names: readonly string[]): string {
  const listed = names.slice(0, MAX_LISTED).map((name) => shorten(name, MAX_WORD_CHARS))
  const left = names.length - listed.length
  return left === 0 ? listed.join(', ') : `${listed.join(', ')} and ${left} more`
}

/** `Did you mean "steps"? Valid: model, prompt, …`: every candidate of a few, the first ten of a sheet's many. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const guess = nearest(word, candidates)
  const isFew = candidates.length <= MAX_WORDS
  const valid =
    candidates.length === 0
      ? 'There are none.'
      : `Valid: ${isFew ? [...candidates].sort().join(', ') : listNames(candidates)}.`
  return guess === undefined ? valid : `Did you mean "${guess}"? ${valid}`
}
