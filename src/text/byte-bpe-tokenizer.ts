/**
 * Byte-level BPE as transformers' `Qwen2TokenizerFast` has it (Qwen 2, 2.5 and 3): NFC, no token that opens or closes a
 * text, and special tokens that are recognised wherever they stand, also within a prompt.
 */
import type { JsonObject } from '../model-files/json-text.ts'
import { type BpeKind, loadBpe, type OldFiles } from './bpe-files.ts'
import { QWEN_PATTERN } from './known-patterns.ts'
import { parseMerges } from './merges.ts'
import type { PromptTokenizer } from './tokenizer.ts'
import type { TokenizerFiles } from './tokenizer-files.ts'
import { isJsonObject } from './tokenizer-files.ts'

/** Qwen's own pad token, and what closes a turn of a chat. */
const PAD = '<|endoftext|>'

/**
 * @param dir a folder with `tokenizer.json`, or with `vocab.json` and `merges.txt`
 * @throws PregenError `E_TOKENIZER_MISSING`, `E_TOKENIZER_INVALID`, `E_TOKENIZER_UNREADABLE`
 */
export async function loadByteBpeTokenizer(dir: string): Promise<PromptTokenizer> {
  return loadBpe(dir, QWEN)
}

const QWEN: BpeKind = {
  kind: 'byte-bpe',
  name: 'Qwen',
  defaultMaxLength: 512,
  defaultPadToken: () => PAD,
  convert: convertQwen2,
}

/** Whether a tokenizer.json whose class is not named is of this kind: CLIP's ends its words with `</w>` and frames texts. */
export function isByteBpe(tokenizerJson: JsonObject | null): boolean {
  const model = tokenizerJson?.model
  if (!isJsonObject(model) || model.type !== 'BPE' || model.end_of_word_suffix === '</w>') return false
  const { post_processor: after } = tokenizerJson ?? {}
  return after === null || after === undefined || (isJsonObject(after) && after.type === 'ByteLevel')
}

/** What transformers' `Qwen2Converter` makes of `vocab.json` and `merges.txt`. */
function convertQwen2(_: TokenizerFiles, { vocab, vocabulary, mergesFile, merges }: OldFiles): JsonObject {
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
      merges: parseMerges(mergesFile, merges, vocabulary),
    },
  }
}
