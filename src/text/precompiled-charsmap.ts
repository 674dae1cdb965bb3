/**
 * SentencePiece's precompiled character map (`Precompiled` in tokenizer.json): T5's NFKC-like normalization.
 *
 * The map is a double-array trie (Darts) from UTF-8 bytes to replacement strings. It is applied as the Rust
 * `tokenizers` library does: first to a whole grapheme shorter than 6 bytes, and there the *shortest* key that
 * begins the grapheme replaces all of it, so a second combining mark is lost; else to each code point.
 */

const encoder = new TextEncoder()
const longestGraphemeBytes = 5
/** Unicode's longest compatibility mapping, U+FDFA's, has 33. */
const longestReplacementBytes = 128

/**
 * @param base64 u32 length of the trie in bytes, the trie's u32 units, NUL-terminated replacements; little-endian
 * @throws RangeError for a map that is cut off, or that replaces a character by a text
 */
export function createPrecompiledNormalizer(base64: string): (text: string) => string {
  const bytes = Buffer.from(base64, 'base64')
  const trieBytes = bytes.length >= 4 ? bytes.readUInt32LE(0) : -1
  if (trieBytes < 4 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length) {
    throw new RangeError('the precompiled character map is cut off')
  }
  const trie = Uint32Array.from({ length: trieBytes / 4 }, (_, unit) => bytes.readUInt32LE(4 + 4 * unit))
  const replacements = bytes.subarray(4 + trieBytes)
  for (let start = 0; start < replacements.length; ) {
    const end = replacements.indexOf(0, start)
    const length = (end < 0 ? replacements.length : end) - start
    if (length > longestReplacementBytes) throw new RangeError('the precompiled character map is no such map')
    start += length + 1
  }
  const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })

  const replace = (part: string): string | null => {
    const start = shortestPrefixValue(trie, encoder.encode(part))
    if (start === null) return null
    const end = replacements.indexOf(0, start)
    return replacements.toString('utf8', start, end < 0 ? replacements.length : end)
  }

  return (text) => {
    let normalized = ''
    for (const { segment } of graphemes.segment(text)) {
      const whole = Buffer.byteLength(segment) <= longestGraphemeBytes ? replace(segment) : null
      if (whole !== null) normalized += whole
      else for (const character of segment) normalized += replace(character) ?? character
    }
    return normalized
  }
}

/** Value of the shortest key that is a prefix of `key`, or null. Bit layout: Darts-clone's double array. */
function shortestPrefixValue(trie: Uint32Array, key: Uint8Array): number | null {
  let node = childOffset(trie[0]!)
  for (const byte of key) {
    if (byte === 0) return null
    node ^= byte
    const unit = trie[node] ?? 0
    if ((unit & 0x800000ff) >>> 0 !== byte) return null
    node ^= childOffset(unit)
    if ((unit >>> 8) & 1) return (trie[node] ?? 0) & 0x7fffffff
  }
  return null
}

function childOffset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6)
}
