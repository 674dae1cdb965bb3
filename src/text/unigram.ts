/**
 * SentencePiece's unigram segmentation: the pieces of a word with the greatest sum of scores. Kudo, "Subword
 * Regularization", 2018. Where rounding leaves several ways equal, or nearly so, as in runs of dashes, the order of sums
 * and comparisons decides; it is that of the Rust `tokenizers` library (`Unigram::encode_optimized`).
 */

/** What an unknown character costs beside the least likely piece. */
const UNKNOWN_PENALTY = 10
/** Characters. SentencePiece makes none beyond 16; each would be looked for at every place of a word. */
const LONGEST_PIECE = 256

/**
 * @param vocabulary pieces and the logarithms of their probabilities
 * @returns the pieces of a word; characters that are in no piece stand alone
 */
export function createUnigramEncoder(
  vocabulary: readonly (readonly [piece: string, score: number])[],
): (word: string) => string[] {
  const scores = new Map(vocabulary.map(([piece, score]) => [piece, asSerdeReads(score)]))
  const unknown = [...scores.values()].reduce((least, score) => Math.min(least, score), 0) - UNKNOWN_PENALTY
  const longest = Math.min(
    vocabulary.reduce((length, [piece]) => Math.max(length, [...piece].length), 1),
    LONGEST_PIECE,
  )

  return (word) => {
    const characters = [...word]
    const size = characters.length
    const best = new Float64Array(size + 1)
    /** Where the last piece of the best way to each position starts; −1: no way is known yet. */
    const startOf = new Int32Array(size + 1).fill(-1)
    for (let start = 0; start < size; start++) {
      let piece = ''
      for (let end = start + 1; end <= Math.min(start + longest, size); end++) {
        piece += characters[end - 1]
        const score = scores.get(piece) ?? (end === start + 1 ? unknown : undefined)
        if (score === undefined) continue
        const sum = score + best[start]!
        if (startOf[end]! >= 0 && sum <= best[end]!) continue
        best[end] = sum
        startOf[end] = start
      }
    }
    const pieces: string[] = []
    for (let end = size; end > 0; end = startOf[end]!) {
      pieces.push(characters.slice(startOf[end], end).join(''))
    }
    return pieces.reverse()
  }
}

/**
 * A decimal as Rust's serde_json reads it, whose last bit may differ from the nearest double: its digits as a whole
 * number, divided by a power of ten.
 */
function asSerdeReads(value: number): number {
  const parts = /^(-?)(\d+)\.(\d+)$/.exec(String(value))
  if (parts === null) return value
  const [, sign, whole = '', fraction = ''] = parts
  const magnitude = Number(whole + fraction) / 10 ** fraction.length
  return sign === '-' ? -magnitude : magnitude
}
