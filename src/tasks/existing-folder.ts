/** The output folder of an earlier run, for commands that read one and must not make it. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { errorCode, PregenError } from '../errors.ts'

/** @throws PregenError `E_OUTPUT_FOLDER` when there is nothing, or a file */
export async function requireOutputFolder(dir: string): Promise<string> {
  if ((await isFolder(dir)) === true) return resolve(dir)
  throw new PregenError('E_OUTPUT_FOLDER', `There is no folder ${dir}.`, {
    help: 'Name the folder that a run wrote to with --out.',
  })
}

/** A run would make the folder that is missing. @throws PregenError `E_OUTPUT_FOLDER` when a file has its name */
export async function refuseFileAsOutput(dir: string): Promise<void> {
  if ((await isFolder(dir)) !== false) return
  throw new PregenError('E_OUTPUT_FOLDER', `${dir} is no folder.`, { help: 'Name another one with --out.' })
}

/** null: there is nothing. */
async function isFolder(path: string): Promise<boolean | null> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR') return false
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}
