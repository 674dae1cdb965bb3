/**
 * CLIP's byte-level BPE, as transformers' `CLIPTokenizerFast` has it. The plain Python `CLIPTokenizer` gives
 * other ids for CJK text, zero-width and control characters; where the two differ, the fast one is followed.
 */

import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import type { JsonObject } from '../model-files/json-text.ts'
import { CLIP_PATTERN } from './known-patterns.ts'
import { parseMerges, parseVocabulary } from './merges.ts'
import { createPromptTokenizer } from './prompt-tokenizer.ts'
import { specialToken } from './special-tokens.ts'
import type { PromptTokenizer } from './tokenizer.ts'
import type { TokenizerFiles } from './tokenizer-files.ts'
import {
  invalidTokenizer,
  isJsonObject,
  readJsonObject,
  readTextFile,
  readTokenizerFiles,
} from './tokenizer-files.ts'

/** Lines of merges.txt that `CLIPTokenizer` reads: 49152 tokens less 256 bytes and 2 special tokens. */
const mergeLimit = 49152 - 256 - 2

/**
 * @param dir a folder with `tokenizer.json`, or with `vocab.json` and `merges.txt`
 * @throws PregenError `E_TOKENIZER_MISSING`, `E_TOKENIZER_INVALID`, `E_TOKENIZER_UNREADABLE`
 */
export async function loadClipTokenizer(dir: string): Promise<PromptTokenizer> {
  const files = await readTokenizerFiles(dir)
  const tokenizerJson = files.tokenizerJson ?? (await tokenizerJsonFromVocabAndMerges(files))
  const file = join(dir, files.tokenizerJson ? 'tokenizer.json' : 'vocab.json')
  const { model } = tokenizerJson
  if (!isJsonObject(model) || model.type !== 'BPE' || !isJsonObject(model.vocab)) {
    throw invalidTokenizer(file, 'a CLIP tokenizer needs a BPE model with a vocabulary')
  }
  return createPromptTokenizer({
    kind: 'clip',
    files,
    tokenizerJson,
    vocabulary: parseVocabulary(file, model.vocab),
    defaultMaxLength: 77,
    defaultPadToken: specialToken(files, 'eos_token')?.content ?? '<|endoftext|>',
  })
}

/** What transformers' `CLIPConverter` makes of `vocab.json` and `merges.txt`. */
async function tokenizerJsonFromVocabAndMerges(files: TokenizerFiles): Promise<JsonObject> {
  const vocabFile = join(files.dir, 'vocab.json')
  const mergesFile = join(files.dir, 'merges.txt')
  const [vocab, merges] = await Promise.all([readJsonObject(vocabFile), readTextFile(mergesFile)])
  if (vocab === null || merges === null) {
    throw new PregenError(
      'E_TOKENIZER_MISSING',
      `There is no tokenizer.json here, and no ${vocab === null ? 'vocab.json' : 'merges.txt'} either.`,
      {
        help: 'A CLIP tokenizer folder holds tokenizer.json, or vocab.json and merges.txt.',
        location: { file: files.dir },
      },
    )
  }
  const vocabulary = parseVocabulary(vocabFile, vocab)
  const token = (role: 'bos_token' | 'eos_token' | 'unk_token', fallback: string): [string, number] => {
    const content = specialToken(files, role)?.content ?? fallback
    const id = vocabulary.get(content) ?? addedTokenId(files, content)
    if (id === undefined) throw invalidTokenizer(vocabFile, `${role} "${content}" is not in the vocabulary`)
    return [content, id]
  }
  const eos = token('eos_token', '<|endoftext|>')
  return {
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: CLIP_PATTERN }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: eos,
      cls: token('bos_token', '<|startoftext|>'),
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      unk_token: token('unk_token', eos[0])[0],
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      fuse_unk: false,
      vocab,
      merges: parseMerges(mergesFile, merges, vocabulary, mergeLimit),
    },
  }
}

function addedTokenId(files: TokenizerFiles, content: string): number | undefined {
  const decoder = isJsonObject(files.config.added_tokens_decoder) ? files.config.added_tokens_decoder : {}
  const entry = Object.entries(decoder).find(([, token]) => isJsonObject(token) && token.content === content)
  return entry === undefined ? undefined : Number(entry[0])
}
