/** Truncation, padding and the cut-off text, the same for every tokenizer kind. */

import { join } from 'node:path'
import { messageOf, PregenError } from '../errors.ts'
import type { JsonObject } from '../model-files/json-text.ts'
import { createTokenizerEngine, type TokenizerEngine } from './engine.ts'
import { unsafePart } from './known-patterns.ts'
import { collectAddedTokens, specialToken } from './special-tokens.ts'
import type { PromptTokenizer } from './tokenizer.ts'
import type { AddedToken, TokenizerFiles } from './tokenizer-files.ts'
import { invalidTokenizer } from './tokenizer-files.ts'

export interface PromptTokenizerOptions {
  readonly kind: PromptTokenizer['kind']
  readonly files: TokenizerFiles
  /** A whole `tokenizer.json`, read from the folder or made from its other files. */
  readonly tokenizerJson: JsonObject
  readonly vocabulary: ReadonlyMap<string, number>
  /** Used where `tokenizer_config.json` has no usable `model_max_length`. */
  readonly defaultMaxLength: number
  /** Used where no file names a pad token. */
  readonly defaultPadToken: string
}

/**
 * Anything above this stands for "no limit" in tokenizer_config.json (transformers writes 1e30); no text encoder of a
 * diffusion model reads more than its default by itself.
 */
const greatestMaxLength = 4096

/**
 * @throws PregenError `E_TOKENIZER_INVALID` for files that do not fit together, `E_TOKENIZER_LENGTH` from
 *   `tokenize` for a length that has no room for the special tokens
 */
export function createPromptTokenizer(options: PromptTokenizerOptions): PromptTokenizer {
  const { kind, files, tokenizerJson, vocabulary } = options
  const addedTokens = collectAddedTokens(files, (content) => vocabulary.get(content))
  const { engine, emptyPrompt } = openEngine(files, tokenizerJson, addedTokens)
  // Qwen's texts stand as they are: what closes them is in the template.
  const isBare = kind === 'byte-bpe'
  const eosTokenId = isBare ? bareEos(files, engine) : emptyPrompt.at(-1)
  const padToken = specialToken(files, 'pad_token')?.content ?? options.defaultPadToken
  const padTokenId = engine.token_to_id(padToken)
  if (eosTokenId === undefined) {
    const what = isBare ? 'it has no end token' : 'its post_processor adds no end token'
    throw invalidTokenizer(join(files.dir, 'tokenizer.json'), what)
  }
  if (padTokenId === undefined) {
    throw invalidTokenizer(
      join(files.dir, 'tokenizer_config.json'),
      `pad_token "${padToken}" is not in the vocabulary`,
    )
  }
  const { model_max_length: declared, clean_up_tokenization_spaces: cleanUp } = files.config
  const modelMaxLength =
    typeof declared === 'number' && declared >= emptyPrompt.length && declared <= greatestMaxLength
      ? Math.trunc(declared)
      : options.defaultMaxLength

  const encode = (text: string): number[] => {
    try {
      return engine.encode(replaceLoneSurrogates(text)).ids
    } catch (cause) {
      throw cannotUse(files, cause)
    }
  }

  return {
    kind,
    modelMaxLength,
    vocabSize: vocabulary.size,
    bosTokenId: emptyPrompt.length > 1 ? emptyPrompt[0]! : null,
    eosTokenId,
    padTokenId,
    encode,
    tokenize(text, maxLength = modelMaxLength) {
      const shortest = Math.max(emptyPrompt.length, 1)
      if (!Number.isInteger(maxLength) || maxLength < shortest) {
        throw new PregenError('E_TOKENIZER_LENGTH', `A prompt cannot be ${maxLength} tokens long.`, {
          help: `Give a whole number from ${shortest} up.`,
        })
      }
      const untruncated = encode(text)
      const fits = untruncated.length <= maxLength
      const ids = new Int32Array(maxLength).fill(padTokenId)
      ids.set(fits ? untruncated : untruncated.slice(0, maxLength))
      if (!fits && !isBare) ids[maxLength - 1] = eosTokenId
      const cut = isBare ? untruncated.slice(maxLength) : untruncated.slice(maxLength - 1, -1)
      return {
        ids,
        untruncatedLength: untruncated.length,
        truncatedText: fits ? null : decode(engine, cut, cleanUp === true),
      }
    },
  }
}

/** The folder's eos_token, which ends a turn of a chat; the pad token where it names none. */
function bareEos(files: TokenizerFiles, engine: TokenizerEngine): number | undefined {
  const named = specialToken(files, 'eos_token') ?? specialToken(files, 'pad_token')
  return engine.token_to_id(named?.content ?? '<|im_end|>')
}

/** Special tokens are kept, as in the warning of diffusers' pipelines. */
function decode(engine: TokenizerEngine, ids: number[], cleanUp: boolean): string {
  return engine.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: cleanUp }).trim()
}

/** UTF-8 has no lone surrogates: they become U+FFFD, as encoders do. */
function replaceLoneSurrogates(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}

function openEngine(files: TokenizerFiles, tokenizerJson: JsonObject, addedTokens: readonly AddedToken[]) {
  const file = join(files.dir, files.tokenizerJson ? 'tokenizer.json' : 'vocab.json')
  const unsafe = unsafePart(tokenizerJson)
  if (unsafe !== null) throw invalidTokenizer(file, unsafe)
  try {
    const engine = createTokenizerEngine(tokenizerJson, addedTokens)
    return { engine, emptyPrompt: engine.encode('').ids }
  } catch (cause) {
    throw cannotUse(files, cause)
  }
}

/** The library trusts its files: what it throws over them is a fault of the files. */
function cannotUse(files: TokenizerFiles, cause: unknown): PregenError {
  const file = join(files.dir, files.tokenizerJson ? 'tokenizer.json' : 'vocab.json')
  return new PregenError('E_TOKENIZER_INVALID', `The tokenizer cannot be used: ${messageOf(cause)}`, {
    help: 'Take the tokenizer folder that was published with the model, unchanged.',
    location: { file },
    cause,
  })
}
