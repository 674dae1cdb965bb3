/** What a film is made of: a variant's pictures and times, as they lie in the output folder. */
import { join } from 'node:path'
import { PICTURE_BYTES, readFileInside, TIMING_BYTES } from '../artifacts/confined-files.ts'
import { withFolder } from '../artifacts/confined-folder.ts'
import type { Confinement } from '../artifacts/confinement.ts'
import { stepName, stepOfName, TIMING_NAME } from '../artifacts/layout.ts'
import { parseTiming, type Timing } from '../artifacts/timing.ts'
import { errorCode } from '../errors.ts'
import { loadSharp } from '../images/load-sharp.ts'
import type { Cut } from './cuts.ts'
import type { ReadPicture } from './painter.ts'

export interface VariantPictures {
  readonly folder: string
  readonly timing: Timing
  /** Steps that have a picture, rising. */
  readonly steps: readonly number[]
  /** Of the final picture. */
  readonly width: number
  readonly height: number
  readonly read: ReadPicture
}

export const FINAL_PICTURE = 'final.png'

export function pictureName(picture: Cut['picture']): string {
  return picture === 'final' ? FINAL_PICTURE : stepName(picture)
}

/**
 * null: there is no `timing.json`, so it has no step pictures that count.
 * @throws PregenError `E_TIMING_INVALID`, `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`
 */
export async function readVariantPictures(
  inside: Confinement,
  folder: string,
): Promise<VariantPictures | null> {
  const path = join(folder, TIMING_NAME)
  let timing: Timing
  try {
    const { bytes } = await readFileInside(inside, path, TIMING_BYTES)
    timing = parseTiming(bytes.toString('utf8'), path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
  const names = await withFolder(inside, folder, (opened) => opened.list().map(({ name }) => name))
  const steps = names.flatMap((name) => stepOfName(name) ?? []).sort((a, b) => a - b)
  const read: ReadPicture = async (picture) =>
    (await readFileInside(inside, join(folder, pictureName(picture)), PICTURE_BYTES)).bytes
  const sharp = await loadSharp()
  const { width, height } = await sharp(await read('final')).metadata()
  return { folder, timing, steps, width, height, read }
}
