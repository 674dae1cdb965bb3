/**
 * Whole files or none: an exclusive temporary file in the same folder → looped write → sync → rename → sync of
 * the folder. A reader of the final name never meets half a file, and after a power cut it finds the old
 * content or the new one.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { type FaultHook, noFaults } from './faults.ts'

/** The part of a file system that writing needs; tests put one with a quota in its place. */
export interface WritableFileSystem {
  open(path: string, flags: 'wx'): Promise<Pick<FileHandle, 'write' | 'sync' | 'close'>>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  syncFolder(path: string): Promise<void>
}

export interface DurableWriteOptions {
  /**
   * Whether the folder is synced after the rename (the default). A writer of many files into one folder may
   * leave it to a single `syncFolder` at the end, before the file that says "all is here" is renamed.
   */
  readonly syncFolder?: boolean | undefined
  readonly faults?: FaultHook | undefined
  readonly fileSystem?: WritableFileSystem | undefined
}

const TEMPORARY = /^\.pregen-\d+-[0-9a-f]{12}\.tmp$/

/** Whether a name is that of a temporary file of ours. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name)
}

/**
 * Replaces or makes a file, whole or not at all.
 * @throws PregenError `E_DISK_FULL` (no space, quota, file too large), `E_WRITE_FAILED` for the rest; both name the
 *   path, and the temporary file is gone
 */
export async function writeFileDurably(
  path: string,
  bytes: Uint8Array,
  options: DurableWriteOptions = {},
): Promise<void> {
  const { faults = noFaults, fileSystem = nodeFileSystem } = options
  const folder = dirname(path)
  const temporary = join(folder, `.pregen-${process.pid}-${randomBytes(6).toString('hex')}.tmp`)
  let created = false
  try {
    const handle = await fileSystem.open(temporary, 'wx')
    created = true
    try {
      await faults('temp-opened', temporary)
      await writeWhole(handle, bytes)
      await faults('temp-written', temporary)
      await handle.sync()
      await faults('temp-synced', temporary)
    } finally {
      await handle.close()
    }
    await fileSystem.rename(temporary, path)
    created = false
    await faults('renamed', path)
    if (options.syncFolder !== false) {
      await fileSystem.syncFolder(folder)
      await faults('folder-synced', folder)
    }
  } catch (error) {
    if (created) await removeLeftover(fileSystem, temporary)
    throw writeError(path, error)
  }
}

/** `write` may take fewer bytes than it was given; what it did not take is given again. */
async function writeWhole(handle: Pick<FileHandle, 'write'>, bytes: Uint8Array): Promise<void> {
  let offset = 0
  while (offset < bytes.byteLength) {
    const { bytesWritten } = await handle.write(bytes, offset, bytes.byteLength - offset, null)
    if (bytesWritten === 0) throw Object.assign(new Error('the file took no more bytes'), { code: 'ENOSPC' })
    offset += bytesWritten
  }
}

async function removeLeftover(fileSystem: WritableFileSystem, temporary: string): Promise<void> {
  try {
    await fileSystem.unlink(temporary)
  } catch {
    // The first error is the one to tell; the next run sweeps what is left.
  }
}

/** Makes renames and removals in a folder last through a power cut. Windows has no such call and needs none. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const nodeFileSystem: WritableFileSystem = {
  open: (path, flags) => open(path, flags),
  rename,
  unlink,
  syncFolder,
}

/**
 * Removes what a killed run left half-written in a folder and all below it. Call it only while the lock is held:
 * a temporary file of a living run must not be swept.
 * @returns the paths removed
 */
export async function sweepTemporaryFiles(folder: string): Promise<readonly string[]> {
  const removed: string[] = []
  const sweep = async (path: string): Promise<void> => {
    const entries = await readFolder(path)
    const folders: string[] = []
    for (const entry of entries) {
      if (entry.isDirectory()) folders.push(join(path, entry.name))
      else if (isTemporaryName(entry.name)) {
        await unlink(join(path, entry.name))
        removed.push(join(path, entry.name))
      }
    }
    for (const child of folders) await sweep(child)
  }
  await sweep(folder)
  return removed.sort()
}

async function readFolder(path: string) {
  try {
    return await readdir(path, { withFileTypes: true })
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** A failed write as a person must hear of it: which file, why, what to do. */
export function writeError(path: string, error: unknown): PregenError {
  if (error instanceof PregenError) return error
  if (FULL.has(errorCode(error) ?? '')) {
    return new PregenError('E_DISK_FULL', `no space left to write ${path} (${messageOf(error)})`, {
      help: 'Free some space and run the same command again: it does only what is missing.',
      cause: error,
      exitCode: 3,
    })
  }
  return new PregenError('E_WRITE_FAILED', `cannot write ${path}: ${messageOf(error)}`, {
    help: 'See that the folder exists and may be written to, then run the same command again.',
    cause: error,
    exitCode: 3,
  })
}
