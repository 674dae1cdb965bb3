/** JSON files of a model folder, read whole with faults that say what the file really is. */
import { readFileSync, statSync } from 'node:fs'
import { messageOf, PregenError } from '../errors.ts'
import { impostor, impostorFault } from './impostor.ts'
import { quotePythonNumbers } from './python-numbers.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** Configurations are a few kilobytes; a tokenizer.json is read elsewhere. */
const MAX_BYTES = 4 * 2 ** 20

/**
 * @param purpose what the file is for, a sentence for the message when it is missing
 * @throws PregenError E_MODEL_FILE_MISSING, E_MODEL_LFS_POINTER, E_MODEL_HTML, E_MODEL_CONFIG
 */
export function readJsonFile(path: string, purpose: string): JsonObject {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) {
    throw new PregenError('E_MODEL_FILE_MISSING', `This file of the model is missing. ${purpose}`, {
      help: 'Download or export the model again; docs/models.md shows the whole layout.',
      location: { file: path },
    })
  }
  const fault = (what: string, cause?: unknown) =>
    new PregenError('E_MODEL_CONFIG', what, {
      help: 'Download or export the model again.',
      location: { file: path },
      cause,
    })
  if (!stats.isFile()) throw fault('This should be a JSON file.')
  if (stats.size > MAX_BYTES)
    throw fault(`This JSON file has ${stats.size} bytes; more than ${MAX_BYTES} is no configuration.`)
  const bytes = readFileSync(path)
  const kind = impostor(bytes)
  if (kind !== null) throw impostorFault(kind, path)
  let value: unknown
  try {
    value = JSON.parse(quotePythonNumbers(bytes.toString('utf8')))
  } catch (thrown) {
    throw fault(`This is not valid JSON: ${messageOf(thrown)}`, thrown)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw fault('This JSON file holds no object.')
  return Object.fromEntries(Object.entries(value))
}

/** As `readJsonFile`, but a file that is not there is an empty object. */
export function readOptionalJsonFile(path: string): JsonObject {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? {} : readJsonFile(path, '')
}
