/**
 * Folders below the output folder, open: what is done through one is done in that very folder, whatever becomes of
 * its path meanwhile. The calls that open one are made at once: each is shorter than a trip through Node's thread
 * pool.
 */
import {
  chmodSync,
  closeSync,
  type Dirent,
  fchmodSync,
  fstatSync,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { errorCode } from '../errors.ts'
import {
  assertInPlace,
  type Confinement,
  isMine,
  OPEN_FOLDER,
  placeAsKnown,
  placeOf,
  refuseLinks,
  statIfThere,
  wrongKind,
} from './confinement.ts'
import { ifSupported } from './weak-file-system.ts'
import type { WriteHook } from './write-points.ts'

/** Folders of the run's own: prompts and addresses are nobody else's business. */
export const PRIVATE_FOLDER = 0o700
export const PRIVATE_FILE = 0o600

/** Of making a folder that somebody removes meanwhile. */
const MAX_TRIES = 10

export interface OpenFolder {
  /** As the user knows it. */
  readonly path: string
  /** A path of something in it, for one call; @throws RangeError for anything but a plain name */
  at(name: string): string
  list(): Dirent[]
  /** A folder in it. @throws what `openFolder` throws */
  open(name: string): OpenFolder
  /** Makes renames and removals in it last through a power cut. */
  sync(): Promise<void>
  /** Lets its owner in alone. */
  makePrivate(): void
  close(): void
}

/**
 * @throws PregenError `E_OUTPUT_SYMLINK` where it, or a folder on the way to it, is a link; errors of the file system
 *   (`ENOENT`, `ENOTDIR`)
 */
export function openFolder(inside: Confinement, path: string): OpenFolder {
  const place = placeOf(inside, path)
  // The folder that the user named is opened where it really is: it may have been a link.
  if (process.platform === 'win32') return folderByPath(inside, place)
  return opened(inside, place, place)
}

function opened(inside: Confinement, openAt: string, place: string): OpenFolder {
  let fd: number
  try {
    fd = openSync(openAt, OPEN_FOLDER)
  } catch (error) {
    refuseLinks(inside, place)
    throw namedByPath(error, openAt, placeAsKnown(inside, place))
  }
  try {
    assertInPlace(inside, fd, place)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  const anchor = inside.isAnchored ? `/proc/self/fd/${fd}` : place
  const path = placeAsKnown(inside, place)
  const at = (name: string) => `${anchor}/${plainName(name)}`
  return {
    path,
    at,
    list: () => readdirSync(anchor, { withFileTypes: true }),
    open: (name) => opened(inside, at(name), join(place, name)),
    sync: () => promisify(fsync)(fd),
    makePrivate: () => {
      const state = fstatSync(fd)
      // Who shares a folder with its owner leaves its permissions alone.
      if ((state.mode & 0o077) !== 0 && isMine(state)) fchmodSync(fd, PRIVATE_FOLDER)
    },
    close: () => closeSync(fd),
  }
}

/** Windows opens no folders; there links are looked for before each use. */
function folderByPath(inside: Confinement, place: string): OpenFolder {
  const path = placeAsKnown(inside, place)
  refuseLinks(inside, place)
  const state = statIfThere(place)
  if (!state?.isDirectory()) {
    const code = state === null ? 'ENOENT' : 'ENOTDIR'
    throw Object.assign(new Error(`${code}: no folder, open '${path}'`), { code })
  }
  return {
    path,
    at: (name) => join(place, plainName(name)),
    list: () => readdirSync(place, { withFileTypes: true }),
    open: (name) => folderByPath(inside, join(place, plainName(name))),
    sync: () => Promise.resolve(),
    makePrivate: () => chmodSync(place, PRIVATE_FOLDER),
    close: () => undefined,
  }
}

/** Makes renames in a folder last, as far as its file system can. @throws what is a fault of the disk */
export function syncOpened(folder: OpenFolder, onPoint: WriteHook): Promise<void> {
  return ifSupported('sync', folder.path, async () => {
    await onPoint('folder-sync', folder.path)
    await folder.sync()
  })
}

function plainName(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) {
    throw new RangeError(`${JSON.stringify(name)} is no name of a file`)
  }
  return name
}

/** Opens a folder for some work, and closes it whatever comes of that. */
export async function withFolder<T>(
  inside: Confinement,
  path: string,
  work: (folder: OpenFolder) => T | Promise<T>,
): Promise<T> {
  const folder = openFolder(inside, path)
  try {
    return await work(folder)
  } catch (error) {
    throw namedByPath(error, folder.at('x').slice(0, -2), folder.path)
  } finally {
    folder.close()
  }
}

/** Messages of the system name the handle; a person knows the folder by its path. */
function namedByPath(error: unknown, anchor: string, path: string): unknown {
  if (error instanceof Error && anchor !== path) error.message = error.message.replaceAll(anchor, path)
  return error
}

/**
 * Makes a folder and those above it, up to the output folder, and follows no link on the way.
 * @param mode of the folders that are made; the umask's without one
 * @throws PregenError `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND` where something else stands there
 */
export function makeFolder(inside: Confinement, path: string, mode?: number): void {
  const place = placeOf(inside, path)
  try {
    openFolder(inside, path).close()
    return
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') throw error
  }
  for (let tries = 1; ; tries++) {
    try {
      makeParts(inside, place, mode)
      return
    } catch (error) {
      // Somebody removes what is being made: begin again, unless it goes on and on.
      if (errorCode(error) !== 'ENOENT' || tries === MAX_TRIES) throw error
    }
  }
}

function makeParts(inside: Confinement, place: string, mode: number | undefined): void {
  let folder = openFolder(inside, inside.out)
  try {
    for (const part of relative(inside.real, place).split(sep)) {
      makeIfMissing(folder.at(part), mode)
      const state = statIfThere(folder.at(part))
      if (state && !state.isDirectory() && !state.isSymbolicLink()) {
        throw wrongKind(join(folder.path, part), state, 'a folder')
      }
      const child = folder.open(part)
      folder.close()
      folder = child
    }
  } finally {
    folder.close()
  }
}

function makeIfMissing(path: string, mode: number | undefined): void {
  try {
    mkdirSync(path, mode)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
}

/** Removes a folder with all that is in it; links in it go, what they lead to stays. Nothing there is well, too. */
export function removeFolder(inside: Confinement, path: string): void {
  const place = placeOf(inside, path)
  let parent: OpenFolder
  try {
    parent = openFolder(inside, join(placeAsKnown(inside, place), '..'))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
  try {
    removeEntry(parent, place.slice(place.lastIndexOf(sep) + 1))
  } finally {
    parent.close()
  }
}

function removeEntry(parent: OpenFolder, name: string): void {
  const state = statIfThere(parent.at(name))
  if (state === null) return
  if (!state.isDirectory()) {
    unlinkSync(parent.at(name))
    return
  }
  const folder = parent.open(name)
  try {
    for (const entry of folder.list()) removeEntry(folder, entry.name)
  } finally {
    folder.close()
  }
  rmdirSync(parent.at(name))
}
