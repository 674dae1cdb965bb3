/** Vocabulary and merges of a BPE tokenizer that comes without a tokenizer.json. */

import type { JsonObject } from '../model-files/json-text.ts'
import { isTokenId, MAX_TOKEN_ID } from './special-tokens.ts'
import { invalidTokenizer } from './tokenizer-files.ts'

export function parseVocabulary(file: string, vocab: JsonObject): Map<string, number> {
  const vocabulary = new Map<string, number>()
  for (const [token, id] of Object.entries(vocab)) {
    if (!isTokenId(id)) {
      throw invalidTokenizer(file, `the id of a token is not a whole number from 0 to ${MAX_TOKEN_ID}`)
    }
    vocabulary.set(token, id)
  }
  if (vocabulary.size === 0) throw invalidTokenizer(file, 'the vocabulary is empty')
  return vocabulary
}

/**
 * The first line of merges.txt is its version and is passed over, whatever it says.
 * @param limit merges that are read; default: all
 */
export function parseMerges(
  file: string,
  text: string,
  vocabulary: ReadonlyMap<string, number>,
  limit = MAX_TOKEN_ID,
): [string, string][] {
  const lines = text
    .trim()
    .split('\n', limit + 1)
    .slice(1)
  return lines.map((line, i) => {
    const [left, right, ...rest] = line.trim().split(/\s+/, 3)
    if (left === undefined || right === undefined || rest.length > 0) {
      throw invalidTokenizer(file, `line ${i + 2} must be two tokens with a space between`)
    }
    const missing = [left, right, left + right].find((token) => !vocabulary.has(token))
    if (missing !== undefined) {
      throw invalidTokenizer(file, `line ${i + 2} needs a token that vocab.json does not have`)
    }
    return [left, right]
  })
}
