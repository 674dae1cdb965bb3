/**
 * Reads the files of a tokenizer folder: `tokenizer.json`, or `vocab.json` + `merges.txt`, with
 * `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` beside them.
 */

import { dirname, join, resolve } from 'node:path'
import { messageOf, PregenError } from '../errors.ts'
import { type JsonObject, JsonTextError, parseJsonText } from '../model-files/json-text.ts'
import { readInside } from '../model-files/open.ts'

/** A token that is found in the text as it stands, before the model splits anything. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  /** Looked for in the normalized text (true) or in the raw text (false). */
  readonly normalized: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly single_word: boolean
  readonly special: boolean
}

export interface TokenizerFiles {
  readonly dir: string
  /** Parsed `tokenizer.json`, or null where there is none. */
  readonly tokenizerJson: JsonObject | null
  /** Parsed `tokenizer_config.json`, empty where there is none. */
  readonly config: JsonObject
  /** Parsed `special_tokens_map.json`, empty where there is none. */
  readonly specialTokensMap: JsonObject
  /** Parsed `added_tokens.json` (token → id), empty where there is none. */
  readonly addedTokens: JsonObject
}

/** Vocabularies of published models have up to 32 MiB, and their parts up to two million values. */
const MAX_BYTES = 40 * 2 ** 20
const MAX_VALUES = 4_000_000

/**
 * @throws PregenError `E_TOKENIZER_INVALID` for a file that is not what its name says,
 *   `E_TOKENIZER_UNREADABLE` for one that the system does not let us read, `E_MODEL_LINK` for one that leads out of the
 *   model's folder, `E_MODEL_TOO_LARGE`
 */
export async function readTokenizerFiles(dir: string): Promise<TokenizerFiles> {
  const [tokenizerJson, config, specialTokensMap, addedTokens] = await Promise.all(
    ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'].map((name) =>
      readJsonObject(join(dir, name)),
    ),
  )
  return {
    dir,
    tokenizerJson: tokenizerJson ?? null,
    config: config ?? {},
    specialTokensMap: specialTokensMap ?? {},
    addedTokens: addedTokens ?? {},
  }
}

/** The parsed object in `file`, or null where there is no such file. */
export async function readJsonObject(file: string): Promise<JsonObject | null> {
  const text = await readTextFile(file)
  if (text === null) return null
  let value: unknown
  try {
    value = parseJsonText(text, { maxValues: MAX_VALUES, anyKey: true })
  } catch (thrown) {
    if (!(thrown instanceof JsonTextError)) throw thrown
    throw new PregenError('E_TOKENIZER_INVALID', `This is not JSON: ${messageOf(thrown)}.`, {
      help: text.startsWith('version https://git-lfs')
        ? 'It is a Git LFS pointer, not the file itself: run "git lfs pull" in the model folder.'
        : 'Copy or download the file again.',
      location: { file },
    })
  }
  if (!isJsonObject(value)) throw invalidTokenizer(file, 'the file must hold a JSON object')
  return value
}

/** The text of `file`, or null where there is no such file. */
export async function readTextFile(file: string): Promise<string | null> {
  try {
    // A tokenizer's folder lies in the model's, which its files may not leave.
    const bytes = readInside(file, { root: dirname(dirname(resolve(file))), maxBytes: MAX_BYTES })
    return bytes === null ? null : bytes.toString('utf8')
  } catch (cause) {
    const isPlain = cause instanceof PregenError
    if (!isPlain || !['E_MODEL_UNREADABLE', 'E_MODEL_NOT_A_FILE'].includes(cause.code)) throw cause
    throw new PregenError('E_TOKENIZER_UNREADABLE', `The file cannot be read: ${messageOf(cause)}`, {
      help: 'Check the permissions, and that it is a file.',
      location: { file },
      cause,
    })
  }
}

export function invalidTokenizer(file: string, reason: string): PregenError {
  return new PregenError('E_TOKENIZER_INVALID', `This tokenizer file cannot be used: ${reason}.`, {
    help: 'Take the tokenizer folder that was published with the model, unchanged.',
    location: { file },
  })
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
