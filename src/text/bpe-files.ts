/** A BPE tokenizer from its folder: `tokenizer.json`, or `vocab.json` and `merges.txt` as older folders have it. */
import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import type { JsonObject } from '../model-files/json-text.ts'
import { parseVocabulary } from './merges.ts'
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

/** What tells one BPE tokenizer from another. */
export interface BpeKind {
  readonly kind: PromptTokenizer['kind']
  /** As messages name it: `a Qwen tokenizer`. */
  readonly name: string
  /** Tokens, where the folder names no limit. */
  readonly defaultMaxLength: number
  readonly defaultPadToken: (files: TokenizerFiles) => string
  /** What transformers' converter of this class makes of the two older files. */
  readonly convert: (files: TokenizerFiles, old: OldFiles) => JsonObject
}

export interface OldFiles {
  readonly vocabFile: string
  readonly vocab: JsonObject
  readonly vocabulary: Map<string, number>
  readonly mergesFile: string
  readonly merges: string
}

/** @throws PregenError `E_TOKENIZER_MISSING`, `E_TOKENIZER_INVALID`, `E_TOKENIZER_UNREADABLE` */
export async function loadBpe(
  dir: string,
  { kind, name, defaultMaxLength, defaultPadToken, convert }: BpeKind,
): Promise<PromptTokenizer> {
  const files = await readTokenizerFiles(dir)
  const tokenizerJson = files.tokenizerJson ?? convert(files, await readOldFiles(files, name))
  const file = join(dir, files.tokenizerJson ? 'tokenizer.json' : 'vocab.json')
  const { model } = tokenizerJson
  if (!isJsonObject(model) || model.type !== 'BPE' || !isJsonObject(model.vocab)) {
    throw invalidTokenizer(file, `a ${name} tokenizer needs a BPE model with a vocabulary`)
  }
  const vocabulary = parseVocabulary(file, model.vocab)
  const defaults = { defaultMaxLength, defaultPadToken: defaultPadToken(files) }
  return createPromptTokenizer({ kind, files, tokenizerJson, vocabulary, ...defaults })
}

async function readOldFiles({ dir }: TokenizerFiles, name: string): Promise<OldFiles> {
  const vocabFile = join(dir, 'vocab.json')
  const mergesFile = join(dir, 'merges.txt')
  const [vocab, merges] = await Promise.all([readJsonObject(vocabFile), readTextFile(mergesFile)])
  if (vocab === null || merges === null) {
    throw new PregenError(
      'E_TOKENIZER_MISSING',
      `There is no tokenizer.json here, and no ${vocab === null ? 'vocab.json' : 'merges.txt'} either.`,
      {
        help: `A ${name} tokenizer folder holds tokenizer.json, or vocab.json and merges.txt.`,
        location: { file: dir },
      },
    )
  }
  return { vocabFile, vocab, vocabulary: parseVocabulary(vocabFile, vocab), mergesFile, merges }
}
