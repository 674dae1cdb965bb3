/**
 * Emphasis as AUTOMATIC1111's default has it (`modules/sd_emphasis.py`, "Original"): each token's embedding
 * times its weight, then the whole window scaled so that its mean stays what it was.
 *
 * @param embeddings [tokens, width] of one chunk of one text encoder; not changed
 * @param weights one for each token
 * @returns a new array of the same shape
 */
export function applyTokenWeights(embeddings: Float32Array, weights: Float32Array): Float32Array {
  const width = embeddings.length / weights.length
  if (!Number.isInteger(width)) {
    throw new RangeError(`${embeddings.length} values are not one row for each of ${weights.length} weights`)
  }
  const weighted = embeddings.map((value, i) => value * weights[Math.floor(i / width)]!)
  const scale = sum(embeddings) / sum(weighted)
  // A sum of zero (every weight 0) leaves nothing to restore a mean to.
  return Number.isFinite(scale) ? weighted.map((value) => value * scale) : weighted
}

function sum(values: Float32Array): number {
  let total = 0
  for (const value of values) total += value
  return total
}
