/** Whether files still are what the ledger says: trusted while size and mtime stand still, re-hashed when not. */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../errors.ts'
import { isVariantFileName } from './layout.ts'
import type { LedgerFile } from './ledger.ts'

export type FileFault = 'missing' | 'altered'

export interface FileState {
  readonly name: string
  /** null = as recorded. */
  readonly fault: FileFault | null
  /** The file was touched but holds what it held: its record with the new mtime, for the ledger. */
  readonly refreshed: LedgerFile | null
}

export interface InspectOptions {
  /** Re-hash every file, however untouched it looks (`verify`). */
  readonly rehash?: boolean | undefined
}

/** The state of each recorded file, in the order of the record. */
export async function inspectFiles(
  folder: string,
  files: readonly LedgerFile[],
  options: InspectOptions = {},
): Promise<readonly FileState[]> {
  return Promise.all(files.map((file) => inspectFile(folder, file, options.rehash === true)))
}

async function inspectFile(folder: string, file: LedgerFile, rehash: boolean): Promise<FileState> {
  const path = join(folder, file.name)
  const intact: FileState = { name: file.name, fault: null, refreshed: null }
  try {
    const state = await stat(path)
    if (!state.isFile()) return { ...intact, fault: 'altered' }
    if (state.size !== file.sizeBytes) return { ...intact, fault: 'altered' }
    const touched = state.mtimeMs !== file.mtimeMs
    if (!touched && !rehash) return intact
    if ((await hashFile(path)) !== file.sha256) return { ...intact, fault: 'altered' }
    return touched ? { ...intact, refreshed: { ...file, mtimeMs: state.mtimeMs } } : intact
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR')
      return { ...intact, fault: 'missing' }
    throw error
  }
}

/** sha-256 of a file in lower-case hex, read as a stream. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}

/** A checksum of bytes in lower-case hex. */
export function hashBytes(bytes: Uint8Array, algorithm: 'sha256' | 'md5' = 'sha256'): string {
  return createHash(algorithm).update(bytes).digest('hex')
}

/** Names in a variant's folder that are ours, or none where there is no folder. */
export async function listVariantFiles(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter(isVariantFileName)
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return []
    throw error
  }
}
