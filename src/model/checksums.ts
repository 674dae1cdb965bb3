/** A `SHA256SUMS` file in the model folder (as `sha256sum` writes it) is held to. */

import { existsSync } from 'node:fs'
import { isAbsolute, join, normalize } from 'node:path'
import type { ErrorCode } from '../error-codes.ts'
import { PregenError } from '../errors.ts'
import { readInside } from '../model-files/open.ts'
import { brief, firstOf } from './brief.ts'
import { createFileHasher, type HashOptions } from './file-hash.ts'

const FILE = 'SHA256SUMS'
const LINE = /^([0-9a-f]{64}) [ *](.+)$/i
/** A line for each of a few thousand files. */
const MAX_BYTES = 2 ** 20

export async function checksumFaults(root: string, options: HashOptions): Promise<PregenError[]> {
  const path = join(root, FILE)
  let bytes: Buffer | null
  try {
    bytes = readInside(path, { root, maxBytes: MAX_BYTES })
  } catch (thrown) {
    // The check of the folder's files tells what stands in its place.
    if (thrown instanceof PregenError && thrown.code !== 'E_MODEL_TOO_LARGE') return []
    if (thrown instanceof PregenError) return [thrown]
    throw thrown
  }
  if (bytes === null) return []
  // A list of hashes is for who wants to know: they are the files' own.
  const hasher = await createFileHasher({ ...options, trustSize: false })
  const faults: PregenError[] = []
  const lines = bytes.toString('utf8').split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const fault = await lineFault(root, line, (file) => hasher.hash(file, root))
    if (fault !== null)
      faults.push(
        new PregenError(fault.code, fault.what, {
          help: fault.help,
          location: { file: path, line: index + 1 },
        }),
      )
  }
  await hasher.save()
  return firstOf(faults, path)
}

async function lineFault(
  root: string,
  line: string,
  hash: (file: string) => Promise<string>,
): Promise<{ code: ErrorCode; what: string; help: string } | null> {
  const [, expected, name] = LINE.exec(line) ?? []
  if (expected === undefined || name === undefined || isAbsolute(name) || normalize(name).startsWith('..')) {
    const help = 'Write it with: sha256sum $(find . -type f ! -name SHA256SUMS) > SHA256SUMS'
    return { code: 'E_MODEL_CHECKSUM', what: 'This line is not "hash  path" of a file in this folder.', help }
  }
  const file = join(root, name)
  const shown = brief(name)
  const help = `Fetch ${shown} again, or correct ${FILE} if the change was meant.`
  if (!existsSync(file)) return { code: 'E_MODEL_CHECKSUM', what: `${shown} is missing.`, help }
  let actual: string
  try {
    actual = await hash(file)
  } catch (thrown) {
    if (!(thrown instanceof PregenError)) throw thrown
    return { code: thrown.code, what: `${shown}: ${thrown.message}`, help: thrown.help ?? help }
  }
  if (actual === expected.toLowerCase()) return null
  return {
    code: 'E_MODEL_CHECKSUM',
    what: `${shown} has SHA-256 ${actual}, not ${expected.toLowerCase()}.`,
    help,
  }
}
