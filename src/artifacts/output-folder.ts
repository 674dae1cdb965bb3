/** Folders that are written into: made where they are missing, refused where a symbolic link leads elsewhere. */
import { lstat, mkdir, realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { makeFolder } from './confined-folder.ts'
import { confine, placeOf, refuseLinks } from './confinement.ts'

/**
 * Makes the output folder, and makes sure that it is one.
 * @param option that named it, for what to do about a fault
 * @throws PregenError `E_OUTPUT_SYMLINK` where it is a symbolic link, `E_OUTPUT_FOLDER` where it cannot be made
 */
export async function openOutputFolder(out: string, option = '--out'): Promise<string> {
  const path = resolve(out)
  try {
    await makeFolders(path)
    const state = await lstat(path)
    if (state.isSymbolicLink()) {
      throw new PregenError(
        'E_OUTPUT_SYMLINK',
        `the output folder ${path} is a symbolic link to ${await realpath(path)}`,
        {
          help: `Give the folder it leads to as ${option}, so that what is written there is written on purpose.`,
        },
      )
    }
    if (!state.isDirectory()) throw new Error('it is not a folder')
    return path
  } catch (error) {
    if (error instanceof PregenError) throw error
    throw new PregenError('E_OUTPUT_FOLDER', `cannot make the output folder ${path}: ${messageOf(error)}`, {
      help: `Choose another with ${option}, or change its permissions.`,
      cause: error,
    })
  }
}

/** As `mkdir` with `recursive`, which never ends where a parent stands and takes no folders (/proc, some mounts). */
async function makeFolders(path: string): Promise<void> {
  if (await isMade(path)) return
  if (dirname(path) !== path) await makeFolders(dirname(path))
  if (!(await isMade(path))) throw new Error(`no folder can be made in ${dirname(path)}`)
}

/** Makes one folder; false where its parent is missing. Something of that name may be there already. */
async function isMade(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return true
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

/**
 * Makes sure that no part of a folder that is to be written to is a link yet, before any work is done for it.
 * @throws PregenError `E_OUTPUT_SYMLINK`
 */
export function refuseLinkedFolder(out: string, folder: string): void {
  const inside = confine(out)
  refuseLinks(inside, placeOf(inside, folder))
}

/**
 * Makes a folder below the output folder, following no symbolic link on the way.
 * @throws PregenError `E_OUTPUT_SYMLINK` | `E_OUTPUT_KIND` | `E_OUTPUT_FOLDER` | `E_OUTPUT_REMOVED`
 */
export async function makeFolderInside(out: string, folder: string): Promise<void> {
  try {
    makeFolder(confine(out), folder)
  } catch (error) {
    if (error instanceof PregenError) throw error
    if (errorCode(error) === 'ENOENT') throw variantRemoved(folder, error)
    throw new PregenError('E_OUTPUT_FOLDER', `cannot make the folder ${folder}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** What to do about files that somebody removed. */
export const DRAW_MISSING = 'Run the same command again: it draws what is missing.'

/** Somebody removed a folder, one above it or a file in it while a run wrote there. */
export function variantRemoved(folder: string, cause?: unknown): PregenError {
  return new PregenError('E_OUTPUT_REMOVED', `${folder}, or a file in it, was removed while it was written`, {
    help: DRAW_MISSING,
    exitCode: 3,
    cause,
  })
}
