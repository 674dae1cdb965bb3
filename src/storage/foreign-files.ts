/** Files that no record of this user's vouches for: what must hold of them before they are sent anywhere. */
import { basename } from 'node:path'
import { PICTURE_BYTES, readFileInside, TIMING_BYTES } from '../artifacts/confined-files.ts'
import type { Confinement } from '../artifacts/confinement.ts'
import { kindFault } from '../artifacts/file-kind.ts'
import { TIMING_NAME } from '../artifacts/layout.ts'
import { PregenError } from '../errors.ts'

/** null: it may be sent; else why not, to follow its name. */
export async function examineForeign(inside: Confinement, path: string): Promise<string | null> {
  const name = basename(path)
  try {
    const maxBytes = name === TIMING_NAME ? TIMING_BYTES : PICTURE_BYTES
    const { bytes, state } = await readFileInside(inside, path, maxBytes)
    return state.nlink > 1 ? 'has a second name outside' : kindFault(name, bytes)
  } catch (error) {
    if (error instanceof PregenError) return error.message
    throw error
  }
}
