/** Files that no record of this user's vouches for: what must hold of them before they are sent anywhere. */
import { join } from 'node:path'
import { PICTURE_BYTES, readFileInside, stateInside, TIMING_BYTES } from '../artifacts/confined-files.ts'
import type { Confinement } from '../artifacts/confinement.ts'
import { kindFault } from '../artifacts/file-kind.ts'
import { TIMING_NAME } from '../artifacts/file-names.ts'
import { PregenError } from '../errors.ts'

/** null: it may be sent; else why not. */
export async function examineForeign(
  inside: Confinement,
  folder: string,
  name: string,
): Promise<string | null> {
  const path = join(folder, name)
  try {
    const maxBytes = name === TIMING_NAME ? TIMING_BYTES : PICTURE_BYTES
    const { bytes, state } = await readFileInside(inside, path, maxBytes)
    if (state.nlink > 1) return 'the file has a second name outside'
    const fault = kindFault(name, bytes)
    return fault && `the file ${fault}`
  } catch (error) {
    if (error instanceof PregenError) return error.message
    throw error
  }
}

/** Names of files that stand elsewhere, too: not even read, for they may be somebody's own. */
export async function sharedFiles(
  inside: Confinement,
  folder: string,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const shared = new Set<string>()
  for (const name of names) {
    const state = await stateInside(inside, join(folder, name))
    if (state?.isFile() && state.nlink > 1) shared.add(name)
  }
  return shared
}
