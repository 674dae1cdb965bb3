/** JSON files of a model folder, read whole with faults that say what the file really is. */
import { dirname } from 'node:path'
import { messageOf, PregenError } from '../errors.ts'
import { type JsonObject, JsonTextError, parseJsonText } from '../model-files/json-text.ts'
import { readInside } from '../model-files/open.ts'
import { impostorFault, impostorOf } from './impostor.ts'

/** Configurations are a few kilobytes; a tokenizer.json is read elsewhere. */
const MAX_BYTES = 4 * 2 ** 20
/** Those of the largest models have a few hundred; a schedule of a thousand betas is one of them. */
const MAX_VALUES = 100_000

/**
 * @param purpose what the file is for, a sentence for the message when it is missing
 * @param root the folder that the file may not lead out of; default: the one that it lies in
 * @throws PregenError E_MODEL_FILE_MISSING, E_MODEL_LFS_POINTER, E_MODEL_HTML, E_MODEL_CONFIG, and what `readInside` throws
 */
export function readJsonFile(path: string, purpose: string, root = dirname(path)): JsonObject {
  const json = readOptionalJsonFile(path, root)
  if (json !== null) return json
  throw new PregenError('E_MODEL_FILE_MISSING', `This file of the model is missing. ${purpose}`, {
    help: 'Download or export the model again; docs/models.md shows the whole layout.',
    location: { file: path },
  })
}

/** As `readJsonFile`, but null for a file that is not there. */
export function readOptionalJsonFile(path: string, root = dirname(path)): JsonObject | null {
  const bytes = readInside(path, { root, maxBytes: MAX_BYTES })
  if (bytes === null) return null
  const kind = impostorOf(bytes)
  if (kind !== null) throw impostorFault(kind, path)
  const fault = (what: string, help = 'Download or export the model again.') =>
    new PregenError('E_MODEL_CONFIG', what, { help, location: { file: path } })
  const mark = byteOrderMark(bytes)
  if (mark !== null) throw fault(`This JSON file begins with a byte order mark (${mark}).`, MARK_HELP)
  let value: unknown
  try {
    // diffusers writes `lambda_min_clipped: -Infinity`; the schedulers read the string.
    value = parseJsonText(bytes.toString('utf8'), { maxValues: MAX_VALUES, pythonNumbers: true })
  } catch (thrown) {
    if (!(thrown instanceof JsonTextError)) throw thrown
    throw fault(`This is not valid JSON: ${messageOf(thrown)}.`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw fault('This JSON file holds no object.')
  return Object.fromEntries(Object.entries(value))
}

const MARK_HELP = 'Save it as UTF-8 without a byte order mark: editors and shells of Windows write one.'

/** The encoding that a file's first bytes name, or null. */
function byteOrderMark(bytes: Buffer): string | null {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'UTF-8'
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  return isUtf16 ? 'UTF-16' : null
}
