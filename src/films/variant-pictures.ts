/** What a film is made of: a variant's pictures and times, as they lie in the output folder. */
import { join } from 'node:path'
import { PICTURE_BYTES, readFileInside, TIMING_BYTES } from '../artifacts/confined-files.ts'
import { withFolder } from '../artifacts/confined-folder.ts'
import type { Confinement } from '../artifacts/confinement.ts'
import { stepOfName, TIMING_NAME } from '../artifacts/file-names.ts'
import { parseTiming, type Timing } from '../artifacts/timing.ts'
import { errorCode, messageOf } from '../errors.ts'
import { loadSharp } from '../images/load-sharp.ts'
import { changedSinceRun, FINAL_PICTURE, pictureName, type ReadPicture } from './picture-file.ts'

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

/**
 * null: there is no `timing.json`, so it has no step pictures that count.
 * @throws PregenError `E_TIMING_INVALID`, `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`, `E_FILE_CHANGED`
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
  const read: ReadPicture = async (picture) => {
    const file = join(folder, pictureName(picture))
    try {
      return (await readFileInside(inside, file, PICTURE_BYTES)).bytes
    } catch (error) {
      throw errorCode(error) === 'ENOENT' ? changedSinceRun(file, 'is gone', error) : error
    }
  }
  const final = await read('final')
  const sharp = await loadSharp()
  const { width, height } = await sharp(final)
    .metadata()
    .catch((error: unknown) => {
      throw changedSinceRun(join(folder, FINAL_PICTURE), `cannot be decoded: ${messageOf(error)}`, error)
    })
  return { folder, timing, steps, width, height, read }
}
