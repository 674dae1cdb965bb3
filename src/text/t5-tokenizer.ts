/** T5's SentencePiece unigram model, as transformers' `T5TokenizerFast` has it (SD3's and FLUX's third encoder). */

import { join } from 'node:path'
import { PregenError } from '../errors.ts'
import { createPromptTokenizer } from './prompt-tokenizer.ts'
import type { PromptTokenizer } from './tokenizer.ts'
import { invalidTokenizer, isJsonObject, readTokenizerFiles } from './tokenizer-files.ts'

/** SentencePiece makes pieces of 16 characters at most unless it is told otherwise. */
const MAX_PIECE_LENGTH = 128
/** Of all pieces: each is a branch of a tree in memory. */
const MAX_CHARACTERS = 8_000_000

/**
 * @param dir a folder with `tokenizer.json`
 * @throws PregenError `E_TOKENIZER_MISSING`, `E_TOKENIZER_INVALID`, `E_TOKENIZER_UNREADABLE`
 */
export async function loadT5Tokenizer(dir: string): Promise<PromptTokenizer> {
  const files = await readTokenizerFiles(dir)
  const { tokenizerJson } = files
  if (tokenizerJson === null) {
    throw new PregenError('E_TOKENIZER_MISSING', 'There is no tokenizer.json here.', {
      help:
        'A T5 tokenizer folder must hold tokenizer.json; spiece.model alone is not read. ' +
        'Make one with transformers: T5TokenizerFast.from_pretrained(DIR).save_pretrained(DIR).',
      location: { file: dir },
    })
  }
  const file = join(dir, 'tokenizer.json')
  const { model } = tokenizerJson
  if (!isJsonObject(model) || model.type !== 'Unigram' || !Array.isArray(model.vocab)) {
    throw invalidTokenizer(file, 'a T5 tokenizer needs a Unigram model with a vocabulary')
  }
  const vocabulary = new Map<string, number>()
  let characters = 0
  for (const [id, entry] of model.vocab.entries()) {
    const [piece, score]: unknown[] = Array.isArray(entry) ? entry : []
    if (typeof piece !== 'string' || typeof score !== 'number') {
      throw invalidTokenizer(file, `entry ${id} of the vocabulary must be a piece and its score`)
    }
    characters += piece.length
    if (piece.length > MAX_PIECE_LENGTH || characters > MAX_CHARACTERS) {
      throw invalidTokenizer(file, `entry ${id} of the vocabulary is longer than any published one`)
    }
    vocabulary.set(piece, id)
  }
  const { unk_id: unkId } = model
  if (typeof unkId !== 'number' || model.vocab[unkId] === undefined) {
    throw invalidTokenizer(file, 'unk_id must name an entry of the vocabulary')
  }
  return createPromptTokenizer({
    kind: 't5',
    files,
    tokenizerJson,
    vocabulary,
    defaultMaxLength: 512,
    defaultPadToken: '<pad>',
  })
}
