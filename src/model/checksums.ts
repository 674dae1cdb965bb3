/** A `SHA256SUMS` file in the model folder (as `sha256sum` writes it) is held to. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isAbsolute, join, normalize } from 'node:path'
import { PregenError } from '../errors.ts'
import { createFileHasher } from './file-hash.ts'

const FILE = 'SHA256SUMS'
const LINE = /^([0-9a-f]{64}) [ *](.+)$/i

export async function checksumFaults(root: string, cacheDir: string | undefined): Promise<PregenError[]> {
  const path = join(root, FILE)
  if (!existsSync(path)) return []
  const hasher = await createFileHasher(cacheDir)
  const faults: PregenError[] = []
  const lines = (await readFile(path, 'utf8')).split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const fault = await lineFault(root, line, (file) => hasher.hash(file))
    if (fault !== null)
      faults.push(
        new PregenError(fault.code, fault.what, {
          help: fault.help,
          location: { file: path, line: index + 1 },
        }),
      )
  }
  await hasher.save()
  return faults
}

async function lineFault(
  root: string,
  line: string,
  hash: (file: string) => Promise<string>,
): Promise<{ code: string; what: string; help: string } | null> {
  const [, expected, name] = LINE.exec(line) ?? []
  if (expected === undefined || name === undefined || isAbsolute(name) || normalize(name).startsWith('..')) {
    const help = 'Write it with: sha256sum $(find . -type f ! -name SHA256SUMS) > SHA256SUMS'
    return { code: 'E_MODEL_CHECKSUM', what: 'This line is not "hash  path" of a file in this folder.', help }
  }
  const file = join(root, name)
  const help = `Fetch ${name} again, or correct ${FILE} if the change was meant.`
  if (!existsSync(file)) return { code: 'E_MODEL_CHECKSUM', what: `${name} is missing.`, help }
  const actual = await hash(file)
  if (actual === expected.toLowerCase()) return null
  return {
    code: 'E_MODEL_CHECKSUM',
    what: `${name} has SHA-256 ${actual}, not ${expected.toLowerCase()}.`,
    help,
  }
}
