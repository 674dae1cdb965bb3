/**
 * Regular expressions of a tokenizer.json meet every prompt, and one that backtracks without end would hold a run for
 * ever. So those of published tokenizers are taken, letter by letter, and no others.
 */
import type { JsonObject } from '../model-files/json-text.ts'
import { isJsonObject } from './tokenizer-files.ts'

/** What CLIP splits a text into: contractions, runs of letters, single digits, runs of the rest. */
export const CLIP_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"

const CLIP_SPECIAL = '<\\|startoftext\\|>|<\\|endoftext\\|>|'
const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const WORDS = '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+'
const REST = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'

/** Qwen 2, 2.5 and 3. */
export const QWEN_PATTERN = `${CONTRACTIONS}|${WORDS}|\\p{N}|${REST}`

const KNOWN: ReadonlySet<string> = new Set([
  // Normalizers: CLIP's and T5's white space.
  '\\s+',
  '\\s',
  ' {2,}',
  '[\\s]+',
  CLIP_PATTERN,
  CLIP_SPECIAL + CLIP_PATTERN,
  // GPT-2 (ByteLevel's own), Qwen, Llama 3, and their kin.
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  QWEN_PATTERN,
  `${CONTRACTIONS}|${WORDS}|\\p{N}{1,3}|${REST}`,
])

/** Levels of a tokenizer.json's parts; the file's reader has bounded them already. */
const MAX_LENGTH_OF_REPLACEMENT = 64
const MAX_PARTS = 64

/** Why the parts that work on text cannot be used, or null. Vocabulary and added tokens are another matter. */
export function unsafePart(tokenizerJson: JsonObject): string | null {
  let parts = 0
  const open: unknown[] = [
    tokenizerJson.normalizer,
    tokenizerJson.pre_tokenizer,
    tokenizerJson.decoder,
    tokenizerJson.post_processor,
  ]
  while (open.length > 0) {
    const part = open.pop()
    if (Array.isArray(part)) open.push(...part)
    if (!isJsonObject(part)) continue
    if (typeof part.type === 'string' && ++parts > MAX_PARTS) return `it has more than ${MAX_PARTS} parts`
    const { Regex: pattern } = part
    if (pattern !== undefined && (typeof pattern !== 'string' || !KNOWN.has(pattern))) {
      return 'it has a regular expression that no published tokenizer of CLIP’s, T5’s or Qwen’s kind has'
    }
    for (const key of ['content', 'prepend', 'replacement', 'prefix', 'suffix']) {
      const text = part[key]
      if (typeof text === 'string' && text.length > MAX_LENGTH_OF_REPLACEMENT) {
        return `${key} has more than ${MAX_LENGTH_OF_REPLACEMENT} characters`
      }
    }
    open.push(...Object.values(part).filter((value) => typeof value === 'object'))
  }
  return null
}
