/** What a person may have meant by a word that is none of those that exist. */
import { distance } from 'fastest-levenshtein'

/**
 * The candidate nearest to `word` when it is near enough to be a slip of the finger; else one that shares its
 * beginning or end (`guidance`, `num_inference_steps`), else undefined.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.toLowerCase().replaceAll('-', '_')
  let best: string | undefined
  // Two letters that changed places count as two edits.
  let bestDistance = (word.length <= 3 ? 1 : Math.max(2, Math.floor(Math.min(word.length, 12) / 3))) + 1
  for (const candidate of candidates) {
    const found = distance(wanted, candidate.toLowerCase().replaceAll('-', '_'))
    if (found < bestDistance) {
      best = candidate
      bestDistance = found
    }
  }
  return best ?? candidates.find((candidate) => shareAPart(wanted, candidate.toLowerCase()))
}

/** Whether one is the first or the last words of the other. */
function shareAPart(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  return short.length >= 4 && (long.startsWith(`${short}_`) || long.endsWith(`_${short}`))
}

/** `Did you mean "steps"? Valid: model, prompt, …`, with every candidate listed. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const guess = nearest(word, candidates)
  const valid = candidates.length === 0 ? 'There are none.' : `Valid: ${[...candidates].sort().join(', ')}.`
  return guess === undefined ? valid : `Did you mean "${guess}"? ${valid}`
}
