/**
 * CLIP's byte-level BPE, as transformers' `CLIPTokenizerFast` has it. The plain Python `CLIPTokenizer` gives
 * other ids for CJK text, zero-width and control characters; where the two differ, the fast one is followed.
 */
import type { JsonObject } from '../model-files/json-text.ts'
import { type BpeKind, loadBpe, type OldFiles } from './bpe-files.ts'
import { CLIP_PATTERN } from './known-patterns.ts'
import { parseMerges } from './merges.ts'
import { specialToken } from './special-tokens.ts'
import type { PromptTokenizer } from './tokenizer.ts'
import type { TokenizerFiles } from './tokenizer-files.ts'
import { invalidTokenizer, isJsonObject } from './tokenizer-files.ts'

/** Lines of merges.txt that `CLIPTokenizer` reads: 49152 tokens less 256 bytes and 2 special tokens. */
const mergeLimit = 49152 - 256 - 2

/**
 * @param dir a folder with `tokenizer.json`, or with `vocab.json` and `merges.txt`
 * @throws PregenError `E_TOKENIZER_MISSING`, `E_TOKENIZER_INVALID`, `E_TOKENIZER_UNREADABLE`
 */
export async function loadClipTokenizer(dir: string): Promise<PromptTokenizer> {
  return loadBpe(dir, CLIP)
}

const CLIP: BpeKind = {
  kind: 'clip',
  name: 'CLIP',
  defaultMaxLength: 77,
  defaultPadToken: (files) => specialToken(files, 'eos_token')?.content ?? '<|endoftext|>',
  convert: convertClip,
}

/** What transformers' `CLIPConverter` makes of `vocab.json` and `merges.txt`. */
function convertClip(
  files: TokenizerFiles,
  { vocabFile, vocab, vocabulary, mergesFile, merges }: OldFiles,
): JsonObject {
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
