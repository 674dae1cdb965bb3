/** One picture of a variant as a film asks for it: its name, its bytes, and what is told where it is not as a run left it. */
import { stepName } from '../artifacts/file-names.ts'
import { PregenError } from '../errors.ts'
import type { Cut } from './cuts.ts'

/** The bytes of a cell's picture. */
export type ReadPicture = (picture: Cut['picture']) => Promise<Uint8Array>

export const FINAL_PICTURE = 'final.png'

export function pictureName(picture: Cut['picture']): string {
  return picture === 'final' ? FINAL_PICTURE : stepName(picture)
}

/** What a run left is not there any more, or is no picture. */
export function changedSinceRun(path: string, why: string, cause?: unknown): PregenError {
  return new PregenError('E_FILE_CHANGED', `${path} ${why}`, {
    help: 'Run the sheet again, which makes it anew.',
    cause,
    exitCode: 3,
  })
}
