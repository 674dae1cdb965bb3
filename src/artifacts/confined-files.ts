/**
 * Files below the output folder: opened without following a link and without waiting, and taken for nothing but
 * regular files at their own place. What is read is bounded, whatever a file says of its size.
 */
import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, unlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'
import { withFolder } from './confined-folder.ts'
import {
  assertInPlace,
  type Confinement,
  MovedFile,
  OPEN_PLAIN,
  placeAsKnown,
  placeOf,
  refuseLinks,
  statIfThere,
  wrongKind,
} from './confinement.ts'

/** Locks and the like. */
export const SMALL_BYTES = 64 * 1024
/** `timing.json`. */
export const TIMING_BYTES = 1024 * 1024
/** `manifest.json` of a hundred thousand pictures. */
export const MANIFEST_BYTES = 256 * 1024 * 1024
/** Any picture. */
export const PICTURE_BYTES = 512 * 1024 * 1024

/** Of opening a file that others replace meanwhile. */
const MAX_TRIES = 20
const READ_BYTES = 1024 * 1024
/** Files that say they are empty may not be. */
const PAGE_BYTES = 4096

export interface FileBytes {
  readonly bytes: Buffer
  readonly state: Stats
}

/**
 * Opens a file that exists.
 * @param flags `O_RDONLY`, or `O_RDWR` with `O_APPEND`: nothing that makes or empties a file
 * @throws PregenError `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`; errors of the file system (`ENOENT`, `EACCES`)
 */
export async function openFile(
  inside: Confinement,
  path: string,
  flags: number = constants.O_RDONLY,
): Promise<FileHandle> {
  const place = placeOf(inside, path)
  // A record that is written anew takes the old one's place between opening and looking: what stands there now is meant.
  for (let tries = 1; ; tries++) {
    try {
      return await openAt(inside, place, flags)
    } catch (error) {
      if (!(error instanceof MovedFile) || tries === MAX_TRIES) throw error
    }
  }
}

async function openAt(inside: Confinement, place: string, flags: number): Promise<FileHandle> {
  refuseOddKind(inside, place)
  let handle: FileHandle
  try {
    handle = await open(place, flags | OPEN_PLAIN)
  } catch (error) {
    throw explained(inside, place, error)
  }
  try {
    judge(inside, handle.fd, place)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** To open a device may already do something: what is there is looked at first, and judged again on the handle. */
function refuseOddKind(inside: Confinement, place: string): void {
  let state: Stats | null
  try {
    state = statIfThere(place)
  } catch (error) {
    throw explained(inside, place, error)
  }
  if (state === null || state.isFile() || state.isSymbolicLink()) return
  refuseLinks(inside, place)
  throw wrongKind(placeAsKnown(inside, place), state)
}

function judge(inside: Confinement, fd: number, place: string): Stats {
  const state = fstatSync(fd)
  if (!state.isFile()) throw wrongKind(placeAsKnown(inside, place), state)
  assertInPlace(inside, fd, place)
  return state
}

// What opening a link, a socket or a device without a driver gives.
const ODD = new Set(['ELOOP', 'EMLINK', 'ENXIO', 'ENODEV', 'EOPNOTSUPP', 'EISDIR', 'EFTYPE'])

function explained(inside: Confinement, place: string, error: unknown): unknown {
  refuseLinks(inside, place)
  const folder = statIfThere(dirname(place))
  if (folder && !folder.isDirectory())
    return wrongKind(placeAsKnown(inside, dirname(place)), folder, 'a folder')
  return ODD.has(errorCode(error) ?? '') ? wrongKind(placeAsKnown(inside, place), statIfThere(place)) : error
}

/**
 * Reads a whole file, through the thread pool.
 * @throws what `openFile` throws; PregenError `E_OUTPUT_TOO_LARGE`
 */
export async function readFileInside(
  inside: Confinement,
  path: string,
  maxBytes: number,
): Promise<FileBytes> {
  const handle = await openFile(inside, path)
  try {
    const state = await handle.stat()
    if (state.size > maxBytes) throw tooLarge(path, maxBytes)
    const pieces: Buffer[] = []
    let size = 0
    // One byte more than it says: a file that is as long as that is read in one piece.
    let piece = Buffer.allocUnsafeSlow(Math.max(Math.min(state.size, maxBytes) + 1, PAGE_BYTES))
    for (let filled = 0; ; ) {
      const { bytesRead } = await handle.read(piece, filled, piece.length - filled, size)
      filled += bytesRead
      size += bytesRead
      if (size > maxBytes) throw tooLarge(path, maxBytes)
      if (bytesRead > 0 && filled < piece.length) continue
      pieces.push(piece.subarray(0, filled))
      if (bytesRead === 0) return { bytes: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), state }
      piece = Buffer.allocUnsafeSlow(READ_BYTES)
      filled = 0
    }
  } finally {
    await handle.close()
  }
}

/**
 * Reads a file at once: for what lies in the system's memory.
 * @param maxBytes more are not read, and not given either
 */
export function readFileNow(inside: Confinement, path: string, maxBytes: number): FileBytes {
  const place = placeOf(inside, path)
  let fd: number
  try {
    fd = openSync(place, constants.O_RDONLY | OPEN_PLAIN)
  } catch (error) {
    throw explained(inside, place, error)
  }
  try {
    const state = judge(inside, fd, place)
    const bytes = Buffer.allocUnsafeSlow(Math.min(state.size, maxBytes))
    let at = 0
    while (at < bytes.length) {
      const read = readSync(fd, bytes, at, bytes.length - at, at)
      if (read === 0) break
      at += read
    }
    return { bytes: bytes.subarray(0, at), state }
  } finally {
    closeSync(fd)
  }
}

export interface HashedFile {
  /** Lower-case hex. */
  readonly sha256: string
  readonly size: number
  readonly mtimeMs: number
}

/** A file's content by its hash, and what the very handle says of it. @throws what `readFileInside` throws */
export async function hashFileInside(
  inside: Confinement,
  path: string,
  maxBytes = PICTURE_BYTES,
): Promise<HashedFile> {
  const handle = await openFile(inside, path)
  try {
    const hash = createHash('sha256')
    const { size, mtimeMs } = await handle.stat()
    if (size > maxBytes) throw tooLarge(path, maxBytes)
    const piece = Buffer.allocUnsafeSlow(Math.min(Math.max(size + 1, PAGE_BYTES), READ_BYTES))
    for (let at = 0; ; ) {
      const { bytesRead } = await handle.read(piece, 0, piece.length, at)
      if (bytesRead === 0) return { sha256: hash.digest('hex'), size: at, mtimeMs }
      at += bytesRead
      if (at > maxBytes) throw tooLarge(path, maxBytes)
      hash.update(piece.subarray(0, bytesRead))
    }
  } finally {
    await handle.close()
  }
}

/** What stands there, a link itself and not what it leads to; null for nothing. */
export async function stateInside(inside: Confinement, path: string): Promise<Stats | null> {
  try {
    return await lstat(placeOf(inside, path))
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return null
    throw error
  }
}

/** Removes a file, or a link itself; nothing there is well, too. */
export async function removeFileInside(inside: Confinement, path: string): Promise<void> {
  try {
    await withFolder(inside, dirname(path), (folder) => unlink(folder.at(basename(path))))
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
}

function tooLarge(path: string, maxBytes: number): PregenError {
  return new PregenError('E_OUTPUT_TOO_LARGE', `${path} is longer than the ${maxBytes} bytes it may have`, {
    help: 'Remove it: pregen did not write it so.',
  })
}
