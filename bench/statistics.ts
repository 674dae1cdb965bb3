/** The middle value; of an even number of values the mean of the two in the middle. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return Number.isInteger(middle)
    ? ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
    : sorted[Math.floor(middle)]!
}

/**
 * Where the median of what was sampled lies with 95 % certainty: the sample's values at the ranks n/2 ± 0.98 √n. null for
 * fewer than six values, which cannot tell.
 */
export function medianInterval(values: readonly number[]): readonly [number, number] | null {
  const sorted = [...values].sort((a, b) => a - b)
  const spread = 0.98 * Math.sqrt(sorted.length)
  const low = sorted[Math.floor(sorted.length / 2 - spread)]
  const high = sorted[Math.ceil(sorted.length / 2 + spread) - 1]
  return low === undefined || high === undefined || sorted.length < 6 ? null : [low, high]
}
