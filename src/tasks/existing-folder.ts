/** The output folder of an earlier run, for commands that read one and must not make it. */
import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { createStateLayout } from '../artifacts/layout.ts'
import { errorCode, PregenError } from '../errors.ts'

/** @throws PregenError `E_OUTPUT_FOLDER` when there is nothing, or a file */
export async function requireOutputFolder(dir: string): Promise<string> {
  const found = await isFolder(dir)
  if (found === true) return resolve(dir)
  const why = found === null ? `There is no folder ${dir}.` : `${dir} is a file, and no folder.`
  throw new PregenError('E_OUTPUT_FOLDER', why, { help: 'Name the folder that a run wrote to with --out.' })
}

/** The output folder that a folder lies in, by the state that a run keeps there; null: none. */
export async function outputFolderAbove(dir: string): Promise<string | null> {
  for (let folder = dirname(resolve(dir)); ; folder = dirname(folder)) {
    if ((await isFolder(createStateLayout(folder).folder)) === true) return folder
    if (folder === dirname(folder)) return null
  }
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
