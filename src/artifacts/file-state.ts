/** Whether files still are what the ledger says: trusted while size and mtime stand still, re-hashed when not. */

import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'
import { hashFileInside, stateInside } from './confined-files.ts'
import { type OpenFolder, openFolder } from './confined-folder.ts'
import { type Confinement, confine, confineIfThere, isAbsent, placeOf, refuseLinks } from './confinement.ts'
import { isVariantFileName, VARIANT_FOLDERS } from './file-names.ts'
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
  /** What the folder must lie in, at any depth, with no link on the way; default: the folder itself. */
  readonly inside?: Confinement | undefined
}

/** The state of each recorded file, in the order of the record. What lies behind a link is missing. */
export async function inspectFiles(
  folder: string,
  files: readonly LedgerFile[],
  options: InspectOptions = {},
): Promise<readonly FileState[]> {
  const inside = options.inside ?? confineIfThere(folder)
  if (inside === null || !(await isInPlace(inside, folder))) {
    return files.map(({ name }) => ({ name, fault: 'missing', refreshed: null }))
  }
  const nested = new Set(files.flatMap(({ name }) => (name.includes('/') ? [dirname(name)] : [])))
  const missing = new Set<string>()
  for (const name of nested) if (!(await isInPlace(inside, join(folder, name)))) missing.add(name)
  return Promise.all(
    files.map((file) =>
      missing.has(dirname(file.name))
        ? { name: file.name, fault: 'missing' as const, refreshed: null }
        : inspectFile(inside, folder, file, options.rehash === true),
    ),
  )
}

async function inspectFile(
  inside: Confinement,
  folder: string,
  file: LedgerFile,
  rehash: boolean,
): Promise<FileState> {
  const path = join(folder, file.name)
  const intact: FileState = { name: file.name, fault: null, refreshed: null }
  try {
    const state = await stateInside(inside, path)
    if (state === null) return { ...intact, fault: 'missing' }
    if (!state.isFile() || state.size !== file.sizeBytes) return { ...intact, fault: 'altered' }
    const touched = state.mtimeMs !== file.mtimeMs
    if (!touched && !rehash) return intact
    if ((await hashFileInside(inside, path)).sha256 !== file.sha256) return { ...intact, fault: 'altered' }
    return touched ? { ...intact, refreshed: { ...file, mtimeMs: state.mtimeMs } } : intact
  } catch (error) {
    if (isAbsent(error)) return { ...intact, fault: 'missing' }
    if (error instanceof PregenError) return { ...intact, fault: 'altered' }
    throw error
  }
}

/** Whether a folder stands where its path says, with no link on the way: one trip through the thread pool. */
async function isInPlace(inside: Confinement, folder: string): Promise<boolean> {
  const place = placeOf(inside, folder)
  try {
    if ((await realpath(place)) === place) return true
  } catch (error) {
    if (isAbsent(error)) return false
    if (hasLinks(inside, place)) return false
    throw error
  }
  // A file system may spell a name in a way of its own.
  return !hasLinks(inside, place)
}

function hasLinks(inside: Confinement, place: string): boolean {
  try {
    refuseLinks(inside, place)
    return false
  } catch (error) {
    if (error instanceof PregenError) return true
    throw error
  }
}

/** A checksum of bytes in lower-case hex. */
export function hashBytes(bytes: Uint8Array, algorithm: 'sha256' | 'md5' = 'sha256'): string {
  return createHash(algorithm).update(bytes).digest('hex')
}

function namesIn(parent: OpenFolder, name: string): string[] {
  const folder = parent.open(name)
  try {
    return folder.list().map((entry) => `${name}/${entry.name}`)
  } finally {
    folder.close()
  }
}

/** Names in a variant's folder that are ours, or none where there is no folder. @throws PregenError `E_OUTPUT_SYMLINK` */
export async function listVariantFiles(folder: string, inside?: Confinement): Promise<readonly string[]> {
  try {
    const opened = openFolder(inside ?? confine(folder), folder)
    try {
      const entries = opened.list()
      const nested = entries.flatMap((entry) =>
        VARIANT_FOLDERS.includes(entry.name) && entry.isDirectory() ? namesIn(opened, entry.name) : [],
      )
      return [...entries.map(({ name }) => name), ...nested].filter(isVariantFileName)
    } finally {
      opened.close()
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return []
    throw error
  }
}
