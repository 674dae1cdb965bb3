/**
 * `@huggingface/tokenizers`, mended where it differs from the Rust `tokenizers` library that transformers'
 * fast tokenizers run on:
 *
 * - `Precompiled` is approximated there by NFKC; here the folder's own character map is applied.
 * - `Lowercase` there lowers whole strings, so a final Σ becomes ς; Rust lowers code point by code point.
 * - `Strip` there trims JavaScript's white space; here Unicode's (U+0085 is in it, U+FEFF is not).
 * - `Unigram` there sees a whole text where Rust sees words, and decides between equally likely pieces otherwise.
 * - `ByteLevel` there takes U+FEFF for white space; after CLIP's `Split` its pattern has nothing left to split.
 *
 * What stays different: Unicode tables. Rust's are older, so a character that became a letter, or got a
 * combining class, in Unicode 10 or later (such as U+0CDC) can be split or ordered in another way there.
 */

import { Tokenizer } from '@huggingface/tokenizers'
import type { JsonObject } from '../model-files/json-text.ts'
import { createPrecompiledNormalizer } from './precompiled-charsmap.ts'
import type { AddedToken } from './tokenizer-files.ts'
import { isJsonObject } from './tokenizer-files.ts'
import { createUnigramEncoder } from './unigram.ts'

/** The parts of the package that are used here; its own types do not resolve under NodeNext. */
export interface TokenizerEngine {
  encode(text: string): { readonly ids: number[] }
  decode(
    ids: number[],
    options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean },
  ): string
  token_to_id(token: string): number | undefined
  normalizer: EngineNormalizer | null
  readonly model: EngineModel
}

interface EngineModel {
  /** The pieces of texts. */
  encode(texts: readonly string[]): string[]
  /** Whether neighbours that are not in the vocabulary become one token. */
  fuse_unk: boolean
}

interface EngineNormalizer {
  (text: string): string
  readonly normalizers?: readonly (EngineNormalizer | null)[]
}

/**
 * @param tokenizerJson a whole `tokenizer.json`
 * @throws Error of any kind where the JSON does not hold together; callers name the file
 */
export function createTokenizerEngine(
  tokenizerJson: JsonObject,
  addedTokens: readonly AddedToken[],
): TokenizerEngine {
  const { normalizer = null, decoder = null, post_processor = null } = tokenizerJson
  const engine: TokenizerEngine = new Tokenizer(
    {
      ...tokenizerJson,
      normalizer,
      decoder,
      post_processor,
      pre_tokenizer: withoutSecondSplit(tokenizerJson.pre_tokenizer ?? null),
      added_tokens: addedTokens,
    },
    {},
  )
  const mended = mendNormalizer(normalizer, engine.normalizer)
  engine.normalizer = mended === null ? null : (text) => requireGrowth(text, mended(text))
  mendModel(tokenizerJson, engine.model)
  return engine
}

function mendModel({ model: config, pre_tokenizer: split }: JsonObject, model: EngineModel): void {
  if (!isJsonObject(config) || config.type !== 'Unigram' || !Array.isArray(config.vocab)) return
  const encode = createUnigramEncoder(config.vocab)
  const wordStart =
    isJsonObject(split) && split.type === 'Metaspace' && split.split !== false ? /(?=▁)/u : null
  const pieces: unknown[] = config.vocab
  const unknown = typeof config.unk_id === 'number' ? nameOfPiece(pieces[config.unk_id]) : null
  const known = new Set(pieces.map(nameOfPiece).filter((piece) => piece !== unknown))
  // Over there a run of unknown pieces is joined and looked up again with each of them, in quadratic time.
  model.fuse_unk = false
  model.encode = (texts) => {
    const found = texts
      .flatMap((text) => (wordStart === null ? [text] : text.split(wordStart)))
      .flatMap((word) => encode(word))
    return found.filter((piece, at) => at === 0 || known.has(piece) || known.has(found[at - 1]!))
  }
}

function nameOfPiece(entry: unknown): string | null {
  return Array.isArray(entry) && typeof entry[0] === 'string' ? entry[0] : null
}

function mendNormalizer(config: unknown, original: EngineNormalizer | null): EngineNormalizer | null {
  if (!isJsonObject(config)) return original
  if (config.type === 'Precompiled' && typeof config.precompiled_charsmap === 'string') {
    return createPrecompiledNormalizer(config.precompiled_charsmap)
  }
  if (config.type === 'Lowercase') return lowerEachCodePoint
  if (config.type === 'Strip') return stripWhiteSpace(config.strip_left === true, config.strip_right === true)
  if (config.type !== 'Sequence' || !Array.isArray(config.normalizers)) return original
  const steps = config.normalizers.map((step: unknown, i) =>
    mendNormalizer(step, original?.normalizers?.[i] ?? null),
  )
  return (text) =>
    steps.reduce((current, step) => (step === null ? current : requireGrowth(text, step(current))), text)
}

/** A text grows by no more than this after any step, 18 times being Unicode's own most: U+FDFA under NFKC. */
const MOST_GROWTH = 64

/** Replacements that feed each other could make gigabytes of a prompt. */
function requireGrowth(text: string, normalized: string): string {
  if (normalized.length > MOST_GROWTH * (text.length + 1)) {
    throw new RangeError('the normalizer makes a text many times longer')
  }
  return normalized
}

function lowerEachCodePoint(text: string): string {
  let lowered = ''
  for (const character of text) lowered += character.toLowerCase()
  return lowered
}

/** All of it lies in the basic plane. */
const WHITE_SPACE = /\p{White_Space}/u

function stripWhiteSpace(left: boolean, right: boolean): (text: string) => string {
  return (text) => {
    let start = 0
    let end = text.length
    while (left && start < end && WHITE_SPACE.test(text[start]!)) start++
    while (right && end > start && WHITE_SPACE.test(text[end - 1]!)) end--
    return text.slice(start, end)
  }
}

/** `Split` + `ByteLevel`, as CLIP has them, with ByteLevel's own pattern switched off. */
function withoutSecondSplit(preTokenizer: unknown): unknown {
  if (!isJsonObject(preTokenizer) || !Array.isArray(preTokenizer.pretokenizers)) return preTokenizer
  const [first, second, ...rest]: unknown[] = preTokenizer.pretokenizers
  if (!isJsonObject(first) || !isJsonObject(second) || rest.length > 0) return preTokenizer
  if (first.type !== 'Split' || second.type !== 'ByteLevel') return preTokenizer
  return { ...preTokenizer, pretokenizers: [first, { ...second, use_regex: false }] }
}
