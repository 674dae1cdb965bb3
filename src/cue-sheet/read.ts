/** The one impure part of this room: bytes of a sheet from disk. */
import { type FileHandle, open } from 'node:fs/promises'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import type { ParseSheetOptions } from './options.ts'
import { findRowFiles, parseCueSheet } from './parse.ts'
import { MAX_SHEET_BYTES } from './scan.ts'
import type { CueSheet } from './sheet.ts'

/**
 * Reads and parses a sheet.
 * @param path as the user gave it; messages show it unchanged
 * @throws PregenError `E_SHEET_MISSING`, `E_SHEET_IS_FOLDER`, `E_SHEET_UNREADABLE`; PregenErrors from `parseCueSheet`
 */
export async function readCueSheet(
  path: string,
  options: Omit<ParseSheetOptions, 'file'>,
): Promise<CueSheet> {
  const isStdin = path === STDIN
  const bytes = isStdin ? await readStdin() : await readSheetBytes(path)
  return readSheetText(bytes, { ...options, file: isStdin ? 'stdin' : path })
}

/** What stands for the sheet that is piped in. Its paths start from the working folder. */
export const STDIN = '-'

/** A sheet that is in memory, with the files that it names. @throws PregenErrors from `parseCueSheet` */
export async function readSheetText(bytes: Uint8Array, options: ParseSheetOptions): Promise<CueSheet> {
  if (options.rowFiles !== undefined) return parseCueSheet(bytes, options)
  const names = findRowFiles(bytes, options)
  if (names.length === 0) return parseCueSheet(bytes, options)
  // Most sheets have no rows, and need no parser of them.
  const { readRowFiles } = await import('./read-row-files.ts')
  return parseCueSheet(bytes, { ...options, rowFiles: await readRowFiles(names, options.file) })
}

/** One byte more than allowed is enough to know that it is too large. */
async function readStdin(): Promise<Uint8Array> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of process.stdin) {
    const bytes = Buffer.from(part)
    parts.push(bytes)
    length += bytes.length
    if (length > MAX_SHEET_BYTES) break
  }
  return Buffer.concat(parts)
}

/**
 * The bytes of a sheet, for who hands them on.
 * @throws PregenError as `readCueSheet`
 */
export async function readSheetBytes(path: string): Promise<Uint8Array> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'r')
    if ((await handle.stat()).isDirectory()) throw folderError(path)
    // No position, so that a pipe may be a sheet. One byte more than allowed is enough to know that it is too large.
    const bytes = Buffer.alloc(MAX_SHEET_BYTES + 1)
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, null)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  } catch (error) {
    throw readError(path, error)
  } finally {
    await handle?.close()
  }
}

function folderError(path: string): PregenError {
  return new PregenError('E_SHEET_IS_FOLDER', `${path} is a folder.`, {
    location: { file: path },
    help: 'Name the sheet itself, such as cues/demo.yaml.',
  })
}

function readError(path: string, error: unknown): PregenError {
  if (error instanceof PregenError) return error
  const code = errorCode(error)
  const location = { file: path }
  if (code === 'EISDIR') return folderError(path)
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new PregenError('E_SHEET_MISSING', `There is no file ${path}.`, {
      location,
      help: 'Check the path, or write a first sheet with "pregen init".',
    })
  }
  return new PregenError('E_SHEET_UNREADABLE', `${path} cannot be read: ${messageOf(error)}.`, {
    location,
    help: 'Check that you may read the file.',
    cause: error,
  })
}
