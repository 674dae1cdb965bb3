/**
 * Byte-level BPE as transformers' `Qwen2TokenizerFast` has it (Qwen 2, 2.5 and 3): NFC, no token that opens or closes a
 * text, and special tokens that are recognised wherever they stand, also within a prompt.
 */

import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import type { JsonObject } from '../model-files/json-text.ts'
import { QWEN_PATTERN } from './known-patterns.ts'
import { parseMerges, parseVocabulary } from './merges.ts'
import { createPromptTokenizer } from './prompt-tokenizer.ts'
import type { PromptTokenizer } from './tokenizer.ts'
import type { TokenizerFiles } from './tokenizer-files.ts'
import {
  invalidTokenizer,
  isJsonObject,
  readJsonObject,
  readTextFile,
  readTokenizerFiles,
} from './tokenizer-files.ts'

/** Qwen's own pad token, and what closes a turn of a chat. */
const PAD = '<|endoftext|>'

/**
 * @param dir a folder with `tokenizer.json`, or with `vocab.json` and `merges.txt`
 * @throws PregenError `E_TOKENIZER_MISSING`, `E_TOKENIZER_INVALID`, `E_TOKENIZER_UNREADABLE`
 */
export async function loadByteBpeTokenizer(dir: string): Promise<PromptTokenizer> {
  const files = await readTokenizerFiles(dir)
  const tokenizerJson = files.tokenizerJson ?? (await tokenizerJsonFromVocabAndMerges(files))
  const file = join(dir, files.tokenizerJson ? 'tokenizer.json' : 'vocab.json')
  const { model } = tokenizerJson
  if (!isJsonObject(model) || model.type !== 'BPE' || !isJsonObject(model.vocab)) {
    throw invalidTokenizer(file, 'a Qwen tokenizer needs a BPE model with a vocabulary')
  }
  return createPromptTokenizer({
    kind: 'byte-bpe',
    files,
    tokenizerJson,
    vocabulary: parseVocabulary(file, model.vocab),
    defaultMaxLength: 512,
    defaultPadToken: PAD,
  })
}

/** Whether a tokenizer.json whose class is not named is of this kind: CLIP's ends its words with `</w>` and frames texts. */
export function isByteBpe(tokenizerJson: JsonObject | null): boolean {
  const model = tokenizerJson?.model
  if (!isJsonObject(model) || model.type !== 'BPE' || model.end_of_word_suffix === '</w>') return false
  const { post_processor: after } = tokenizerJson ?? {}
  return after === null || after === undefined || (isJsonObject(after) && after.type === 'ByteLevel')
}

/** What transformers' `Qwen2Converter` makes of `vocab.json` and `merges.txt`. */
async function tokenizerJsonFromVocabAndMerges(files: TokenizerFiles): Promise<JsonObject> {
  const vocabFile = join(files.dir, 'vocab.json')
  const mergesFile = join(files.dir, 'merges.txt')
  const [vocab, merges] = await Promise.all([readJsonObject(vocabFile), readTextFile(mergesFile)])
  if (vocab === null || merges === null) {
    throw new PregenError(
      'E_TOKENIZER_MISSING',
      `There is no tokenizer.json here, and no ${vocab === null ? 'vocab.json' : 'merges.txt'} either.`,
      {
        help: 'A Qwen tokenizer folder holds tokenizer.json, or vocab.json and merges.txt.',
        location: { file: files.dir },
      },
    )
  }
  return {
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: QWEN_PATTERN }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      vocab,
      merges: parseMerges(mergesFile, merges, parseVocabulary(vocabFile, vocab)),
    },
  }
}
