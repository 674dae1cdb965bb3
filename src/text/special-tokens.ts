/** Special tokens of a tokenizer folder, found where transformers' `from_pretrained` looks for them. */

import { join } from 'node:path'
import type { JsonObject } from '../model-files/json-text.ts'
import type { AddedToken, TokenizerFiles } from './tokenizer-files.ts'
import { invalidTokenizer, isJsonObject } from './tokenizer-files.ts'

export interface SpecialToken {
  readonly content: string
  readonly normalized: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
}

const roles = ['bos_token', 'eos_token', 'unk_token', 'pad_token'] as const
export type SpecialTokenRole = (typeof roles)[number]

/**
 * The token of a role. `special_tokens_map.json` overrides `tokenizer_config.json` in folders that have no
 * `added_tokens_decoder` (written before transformers 4.34), and is not looked at in later ones.
 */
export function specialToken(files: TokenizerFiles, role: SpecialTokenRole): SpecialToken | null {
  const legacy = files.config.added_tokens_decoder === undefined
  const fromMap = legacy ? parseSpecialToken(files.specialTokensMap[role]) : null
  const declared = fromMap ?? parseSpecialToken(files.config[role])
  if (declared === null || legacy) return declared
  return addedTokensDecoder(files).find(({ content }) => content === declared.content) ?? declared
}

/** `"</s>"` or `{"content": "</s>", "normalized": …}`; null for anything else. */
function parseSpecialToken(value: unknown): SpecialToken | null {
  if (typeof value === 'string') {
    return { content: value, normalized: false, lstrip: false, rstrip: false }
  }
  if (!isJsonObject(value) || typeof value.content !== 'string') return null
  return {
    content: value.content,
    normalized: value.normalized === true,
    lstrip: value.lstrip === true,
    rstrip: value.rstrip === true,
  }
}

/**
 * All added tokens: those of `tokenizer.json`, then `added_tokens_decoder`, `added_tokens.json`, and the
 * special tokens themselves. The first mention of a token wins.
 *
 * @param idOf id of a token in the model's own vocabulary
 * @throws PregenError `E_TOKENIZER_INVALID` for a special token that has no id
 */
export function collectAddedTokens(
  files: TokenizerFiles,
  idOf: (content: string) => number | undefined,
): AddedToken[] {
  const found = new Map<string, AddedToken>()
  const add = (token: AddedToken): void => {
    if (found.has(token.content)) return
    if (found.size >= MAX_ADDED_TOKENS || token.content.length > MAX_ADDED_LENGTH) {
      const what = `there are more than ${MAX_ADDED_TOKENS} added tokens, or one of more than ${MAX_ADDED_LENGTH} characters`
      throw invalidTokenizer(files.dir, what)
    }
    found.set(token.content, token)
  }
  for (const token of tokenizerJsonTokens(files)) add(token)
  for (const token of addedTokensDecoder(files)) add(token)
  for (const [content, id] of Object.entries(files.addedTokens)) {
    if (!isTokenId(id)) throw invalidTokenizer(join(files.dir, 'added_tokens.json'), `"${content}" has no id`)
    add({ id, content, normalized: true, lstrip: false, rstrip: false, single_word: false, special: false })
  }
  for (const role of roles) {
    const token = specialToken(files, role)
    if (token === null || found.has(token.content)) continue
    const id = idOf(token.content)
    if (id === undefined) {
      throw invalidTokenizer(
        join(files.dir, 'tokenizer_config.json'),
        `${role} is "${token.content}", which is not in the vocabulary`,
      )
    }
    add({ ...token, id, single_word: false, special: true })
  }
  return [...found.values()]
}

function tokenizerJsonTokens(files: TokenizerFiles): AddedToken[] {
  const listed = files.tokenizerJson?.added_tokens ?? []
  const file = join(files.dir, 'tokenizer.json')
  if (!Array.isArray(listed)) throw invalidTokenizer(file, 'added_tokens must be a list')
  return listed.map((entry: unknown) => {
    if (!isJsonObject(entry)) throw invalidTokenizer(file, 'added_tokens must hold objects')
    return parseAddedToken(file, entry.id, entry)
  })
}

function addedTokensDecoder(files: TokenizerFiles): AddedToken[] {
  const decoder = files.config.added_tokens_decoder ?? {}
  const file = join(files.dir, 'tokenizer_config.json')
  if (!isJsonObject(decoder)) throw invalidTokenizer(file, 'added_tokens_decoder must be an object')
  return Object.entries(decoder).map(([id, entry]) => {
    if (!isJsonObject(entry)) throw invalidTokenizer(file, 'added_tokens_decoder must hold objects')
    return parseAddedToken(file, Number(id), entry)
  })
}

function parseAddedToken(file: string, id: unknown, entry: JsonObject): AddedToken {
  const { content } = entry
  if (!isTokenId(id) || typeof content !== 'string' || content === '') {
    throw invalidTokenizer(file, 'an added token lacks its id or its content')
  }
  const special = entry.special === true
  return {
    id,
    content,
    special,
    normalized: typeof entry.normalized === 'boolean' ? entry.normalized : !special,
    lstrip: entry.lstrip === true,
    rstrip: entry.rstrip === true,
    single_word: entry.single_word === true,
  }
}

/** The largest published vocabularies have a quarter million tokens. */
export const MAX_TOKEN_ID = 2 ** 22
const MAX_ADDED_TOKENS = 20_000
const MAX_ADDED_LENGTH = 256

export function isTokenId(id: unknown): id is number {
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 && id <= MAX_TOKEN_ID
}
