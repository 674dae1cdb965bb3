/**
 * Files that came with a model are a stranger's: each is opened once, without waiting, is a regular file that lies inside
 * the model's folder, and no more of it is read than its kind may have. Everything is asked of the open handle.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
} from 'node:fs'
import { basename, dirname, resolve, sep } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'

export interface OpenFile {
  readonly descriptor: number
  readonly stats: Stats
  /** Where it lies, without links. */
  readonly place: string
}

export interface ModelFileLimits {
  /** The folder that the file may not lead out of. */
  readonly root: string
  /** What its kind has at most. */
  readonly maxBytes: number
}

/** Not waiting for a writer is what keeps a FIFO from holding the run. Windows has neither flag. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0)

/**
 * Where a file or folder of a model lies, without links.
 * @param root the folder that it may not lead out of; itself, it may be a link
 * @returns null where nothing is there
 * @throws PregenError E_MODEL_LINK, E_MODEL_UNREADABLE
 */
export function placeInside(path: string, root: string): string | null {
  const place = realPath(path)
  const realRoot = realPath(root)
  if (place === null || realRoot === null) return null
  if (place === realRoot || place.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) return place
  if (isBlobOfSameHub(place, realRoot)) return place
  throw new PregenError('E_MODEL_LINK', 'This is a link that leads out of the model’s folder.', {
    help: 'Put the file or folder itself there (hf download --local-dir writes real files).',
    location: { file: path },
  })
}

/**
 * Hugging Face's cache keeps a model's contents as `models--x--y/blobs/<hash>` and links to them from
 * `models--x--y/snapshots/<revision>/`. Only that is let through.
 */
function isBlobOfSameHub(place: string, realRoot: string): boolean {
  const parts = realRoot.split(sep)
  const at = parts.findLastIndex((part, i) => part.startsWith('models--') && parts[i + 1] === 'snapshots')
  if (at < 0 || parts.length < at + 3) return false
  const blobs = [...parts.slice(0, at + 1), 'blobs'].join(sep)
  return dirname(place) === blobs && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(basename(place))
}

function realPath(path: string): string | null {
  try {
    return realpathSync(resolve(path))
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return null
    throw unreadable(path, thrown)
  }
}

/**
 * @param root the folder that the file may not lead out of
 * @returns null where there is no such file; the descriptor is the caller's to close
 * @throws PregenError E_MODEL_LINK, E_MODEL_NOT_A_FILE, E_MODEL_UNREADABLE
 */
export function openInside(path: string, root: string): OpenFile | null {
  const place = placeInside(path, root)
  if (place === null) return null
  let descriptor: number
  try {
    // A device can act on being opened; what is no file is not opened at all.
    if (!lstatSync(place).isFile()) throw notAFile(path)
    descriptor = openSync(place, FLAGS)
  } catch (thrown) {
    if (thrown instanceof PregenError) throw thrown
    const code = errorCode(thrown)
    if (code === 'ENOENT') return null
    // No reader's end of a socket, or a FIFO that was put there meanwhile.
    throw code === 'ENXIO' || code === 'ELOOP' ? notAFile(path) : unreadable(path, thrown)
  }
  try {
    const stats = fstatSync(descriptor)
    if (!stats.isFile()) throw notAFile(path)
    return { descriptor, stats, place }
  } catch (thrown) {
    closeSync(descriptor)
    throw thrown
  }
}

/**
 * A whole file.
 * @returns null where there is no such file
 * @throws PregenError E_MODEL_LINK, E_MODEL_NOT_A_FILE, E_MODEL_UNREADABLE, E_MODEL_TOO_LARGE
 */
export function readInside(path: string, { root, maxBytes }: ModelFileLimits): Buffer | null {
  const file = openInside(path, root)
  if (file === null) return null
  try {
    if (file.stats.size > maxBytes) throw tooLarge(path, maxBytes)
    // Files under /proc have no size and go on for ever: the size counts, and one byte more tells of growth.
    const bytes = readUpTo(file.descriptor, file.stats.size + 1, path)
    if (bytes.length > file.stats.size) throw notAFile(path)
    return bytes
  } finally {
    closeSync(file.descriptor)
  }
}

/** The first bytes of an open file, fewer where it ends. */
export function readUpTo(descriptor: number, maxBytes: number, path: string): Buffer {
  const buffer = Buffer.alloc(maxBytes)
  let length = 0
  try {
    while (length < maxBytes) {
      const bytesRead = readSync(descriptor, buffer, length, maxBytes - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
  } catch (thrown) {
    throw unreadable(path, thrown)
  }
  return buffer.subarray(0, length)
}

function notAFile(path: string): PregenError {
  return new PregenError('E_MODEL_NOT_A_FILE', 'This is no regular file.', {
    help: 'A model has plain files only: no folder, pipe, socket or device may stand in this place.',
    location: { file: path },
  })
}

function tooLarge(path: string, maxBytes: number): PregenError {
  return new PregenError('E_MODEL_TOO_LARGE', `This file has more than ${maxBytes} bytes.`, {
    help: 'No published model has such a file: download or export it again, or trust another source.',
    location: { file: path },
  })
}

function unreadable(path: string, cause: unknown): PregenError {
  const code = errorCode(cause)
  return new PregenError(
    'E_MODEL_UNREADABLE',
    `This cannot be read${code === undefined ? '' : `: ${code}`}.`,
    {
      help: 'See that you may read the file and the folders that it lies in.',
      location: { file: path },
      cause,
    },
  )
}
