/**
 * What keeps pregen inside the output folder: whether an open file or folder is the one at its own place below the
 * folder that the user named, with no symbolic link on the way. Judged on the handle, so that nothing can change
 * between the look and the use.
 */
import { constants, existsSync, fstatSync, lstatSync, readlinkSync, realpathSync, type Stats } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'
import { printable } from '../printable.ts'

export interface Confinement {
  /** The folder that the user named. Links above it, and it being one, are the user's own choice. */
  readonly out: string
  /** Where that is, without a link. */
  readonly real: string
  /** Whether the system tells the place of an open file (`/proc/self/fd`), so that work can hang on the handle. */
  readonly isAnchored: boolean
}

// Windows knows none of them; there every part of a path is looked at before it is opened.
const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_DIRECTORY = 0, O_NOCTTY = 0 } = constants

/** Never follows a link in the last place, never waits for the other end of a pipe. */
export const OPEN_PLAIN = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
export const OPEN_FOLDER = O_NOFOLLOW | O_DIRECTORY

const HAS_HANDLES = process.platform === 'linux' && existsSync('/proc/self/fd')

/**
 * @param out must exist
 * @param isAnchored tests switch the system's help off
 */
export function confine(out: string, isAnchored = HAS_HANDLES): Confinement {
  const path = resolve(out)
  return { out: path, real: realpathSync.native(path), isAnchored }
}

/** null: there is no such folder. */
export function confineIfThere(folder: string): Confinement | null {
  try {
    return confine(folder)
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}

/** Whether an error says that a path leads to nothing. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errorCode(error) ?? '')
}

/** The confinement of a state file, `<out>/.pregen/<name>`. */
export function confineState(path: string): Confinement {
  return confine(resolve(path, '../..'))
}

/**
 * Where a path below the output folder must be found.
 * @throws PregenError `E_PATH_ESCAPE` for a path that is not below it
 */
export function placeOf(inside: Confinement, path: string): string {
  const part = relative(inside.out, resolve(path))
  if (part === '') return inside.real
  const first = part.split(sep, 1)[0]
  if (first === '..' || resolve(inside.out, part) !== join(inside.out, part) || path.includes('\0')) {
    throw new PregenError('E_PATH_ESCAPE', `${JSON.stringify(path)} is not inside ${inside.out}`, {
      help: 'Give the folder that it lies in as --out.',
    })
  }
  return join(inside.real, part)
}

/**
 * Makes sure that what was opened is what stands at its own place.
 * @param place from `placeOf`
 * @throws PregenError `E_OUTPUT_SYMLINK`; an error with code `ENOENT` when it was moved or removed meanwhile
 */
export function assertInPlace(inside: Confinement, fd: number, place: string): void {
  if (inside.isAnchored && handlePath(fd) === place) return
  refuseLinks(inside, place)
  // No such help, or a file system that spells names in a way of its own: the same file must stand at the place.
  const [opened, there] = [fstatSync(fd), lstatSync(place)]
  if (opened.dev === there.dev && opened.ino === there.ino) return
  throw new MovedFile(placeAsKnown(inside, place))
}

/** What was opened does not stand at its place any more: somebody has put another in its place, or taken it away. */
export class MovedFile extends Error {
  readonly code = 'ENOENT'

  constructor(path: string) {
    super(`ENOENT: ${path} was moved`)
  }
}

function handlePath(fd: number): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    // A system without /proc: the slower way judges.
    return null
  }
}

/** @throws PregenError `E_OUTPUT_SYMLINK` where a part of the place below the output folder is a link */
export function refuseLinks(inside: Confinement, place: string): void {
  let path = inside.real
  for (const part of relative(inside.real, place).split(sep)) {
    path = join(path, part)
    const state = statIfThere(path)
    if (state === null) return
    if (state.isSymbolicLink()) throw linkError(placeAsKnown(inside, path), path)
  }
}

/** null: there is nothing. */
export function statIfThere(path: string): Stats | null {
  try {
    return lstatSync(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return null
    throw error
  }
}

/** A place as the user knows it. */
export function placeAsKnown(inside: Confinement, place: string): string {
  return join(inside.out, relative(inside.real, place))
}

function linkError(path: string, real: string): PregenError {
  const link = `${path} is a symbolic link, to ${readlinkSync(real)}`
  return new PregenError('E_OUTPUT_SYMLINK', printable(link), {
    help: 'Remove it: pregen follows no link inside the output folder, so that nothing outside of it is read, changed or sent.',
  })
}

/** Whether the user that this process runs as may change a file's permissions. */
export function isMine({ uid }: Stats): boolean {
  return process.getuid === undefined || process.getuid() === uid
}

const KINDS: readonly (readonly [(state: Stats) => boolean, string])[] = [
  [(state) => state.isDirectory(), 'a folder'],
  [(state) => state.isFIFO(), 'a named pipe'],
  [(state) => state.isSocket(), 'a socket'],
  [(state) => state.isBlockDevice() || state.isCharacterDevice(), 'a device'],
  [(state) => state.isSymbolicLink(), 'a symbolic link'],
  [(state) => state.isFile(), 'a file'],
]

/** Something stands in the place of a file, or of a folder, that is none. */
export function wrongKind(path: string, state: Stats | null, wanted = 'a regular file'): PregenError {
  const found = state === null ? '' : (KINDS.find(([is]) => is(state))?.[1] ?? '')
  const what = found === '' ? '' : ` but ${found}`
  return new PregenError('E_OUTPUT_KIND', printable(`${path} is not ${wanted}${what}`), {
    help: 'Remove it, or give another folder with --out: pregen did not put it there.',
  })
}
