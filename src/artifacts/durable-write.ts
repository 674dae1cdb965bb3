/**
 * Whole files or none: an exclusive temporary file in the same folder → looped write → sync → rename → sync of
 * the folder. A reader of the final name never meets half a file, and after a power cut it finds the old
 * content or the new one.
 */
import { constants, unlinkSync } from 'node:fs'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import pLimit from 'p-limit'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { type OpenFolder, openFolder, withFolder } from './confined-folder.ts'
import { type Confinement, confine, OPEN_FOLDER } from './confinement.ts'
import { isInHand, isTemporaryName, temporaryName } from './temporary-name.ts'
import { ifSupported } from './weak-file-system.ts'
import { noWriteHook, type WriteHook } from './write-points.ts'

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
  /** The folder that the file must lie in, at any depth; without one, the file's own folder as it was named. */
  readonly inside?: Confinement | undefined
  /** Of the file; the umask's without one. */
  readonly mode?: number | undefined
  readonly onPoint?: WriteHook | undefined
  readonly fileSystem?: WritableFileSystem | undefined
}

/**
 * Replaces or makes a file, whole or not at all.
 * @throws PregenError `E_OUTPUT_SYMLINK`; `E_DISK_FULL` (no space, quota, file too large), `E_WRITE_FAILED` for the
 *   rest; both name the path, and the temporary file is gone
 */
export async function writeFileDurably(
  path: string,
  bytes: Uint8Array,
  options: DurableWriteOptions = {},
): Promise<void> {
  try {
    await writing(() => writeNow(path, bytes, options))
  } catch (error) {
    throw writeError(path, error)
  }
}

// More would wait with open handles for the few threads that write: their number must not hang on that of devices.
const WRITES_AT_ONCE = 16
const writing = pLimit(WRITES_AT_ONCE)

async function writeNow(path: string, bytes: Uint8Array, options: DurableWriteOptions): Promise<void> {
  if (options.fileSystem) return await writeThrough(options.fileSystem, path, bytes, options)
  const folder = dirname(path)
  await withFolder(options.inside ?? confine(folder), folder, (opened) =>
    writeThrough(fileSystemIn(opened, options.mode), path, bytes, options),
  )
}

async function writeThrough(
  fileSystem: WritableFileSystem,
  path: string,
  bytes: Uint8Array,
  options: DurableWriteOptions,
): Promise<void> {
  const { onPoint = noWriteHook } = options
  const folder = dirname(path)
  const temporary = join(folder, temporaryName())
  let created = false
  try {
    const handle = await fileSystem.open(temporary, 'wx')
    created = true
    try {
      await onPoint('temp-opened', temporary)
      await writeWhole(handle, bytes)
      await onPoint('temp-written', temporary)
      await ifSupported('sync', path, async () => {
        await onPoint('file-sync', temporary)
        await handle.sync()
      })
      await onPoint('temp-synced', temporary)
    } finally {
      await handle.close()
    }
    await fileSystem.rename(temporary, path)
    created = false
    await onPoint('renamed', path)
    if (options.syncFolder !== false) {
      await ifSupported('sync', folder, async () => {
        await onPoint('folder-sync', folder)
        await fileSystem.syncFolder(folder)
      })
      await onPoint('folder-synced', folder)
    }
  } catch (error) {
    if (created) await removeLeftover(fileSystem, temporary)
    throw error
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
  const handle = await open(path, constants.O_RDONLY | OPEN_FOLDER)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The file system within an open folder: a path stands for its last name alone. */
function fileSystemIn(folder: OpenFolder, mode: number | undefined): WritableFileSystem {
  const at = (path: string) => folder.at(basename(path))
  return {
    open: (path, flags) => open(at(path), flags, mode),
    rename: (from, to) => rename(at(from), at(to)),
    unlink: (path) => unlink(at(path)),
    syncFolder: () => folder.sync(),
  }
}

/** Deeper than any tree of ours: whoever nests folders without end does not keep us going down. */
const MAX_DEPTH = 64
/** How long others wait at most while folders are looked through. */
const TURN_MS = 20

/**
 * Removes what a killed run left half-written in a folder and all below it, following no link. Call it only while the
 * lock is held: a temporary file of a living run must not be swept.
 * @param shared a folder in it that others write into without the lock: there a living process keeps its files
 * @returns the paths removed
 */
export async function sweepTemporaryFiles(folder: string, shared?: string): Promise<readonly string[]> {
  const removed: string[] = []
  const isShared = (path: string) => shared !== undefined && `${path}${sep}`.startsWith(`${shared}${sep}`)
  let turnedAt = performance.now()
  const sweep = async (opened: OpenFolder, depth: number): Promise<void> => {
    const folders: string[] = []
    for (const entry of opened.list()) {
      if (entry.isDirectory()) folders.push(entry.name)
      else if (isTemporaryName(entry.name) && !(isShared(opened.path) && isInHand(entry.name))) {
        unlinkSync(opened.at(entry.name))
        removed.push(join(opened.path, entry.name))
      }
    }
    if (performance.now() - turnedAt > TURN_MS) {
      await turn()
      turnedAt = performance.now()
    }
    if (depth === MAX_DEPTH) return
    for (const name of folders)
      await closing(
        openIfThere(() => opened.open(name)),
        depth + 1,
      )
  }
  const closing = async (opened: OpenFolder | null, depth: number): Promise<void> => {
    try {
      if (opened) await sweep(opened, depth)
    } finally {
      opened?.close()
    }
  }
  await closing(
    openIfThere(() => openFolder(confine(folder), folder)),
    0,
  )
  return removed.sort()
}

function openIfThere(openIt: () => OpenFolder): OpenFolder | null {
  try {
    return openIt()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
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
  if (errorCode(error) === 'EISDIR') {
    return new PregenError('E_OUTPUT_KIND', `${path} is a folder and not a file`, {
      help: 'Remove it, then run the same command again: pregen did not put it there.',
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
