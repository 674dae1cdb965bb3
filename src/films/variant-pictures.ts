/** What a film is made of: a variant's pictures and times, as they lie in the output folder. */
import { join } from 'node:path'
import { PICTURE_BYTES, readFileInside, TIMING_BYTES } from '../artifacts/confined-files.ts'
import { withFolder } from '../artifacts/confined-folder.ts'
import type { Confinement } from '../artifacts/confinement.ts'
import { stepOfName, TIMING_NAME } from '../artifacts/file-names.ts'
import { parseTiming, type Timing, timingSteps } from '../artifacts/timing.ts'
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
  checkSteps(folder, timing, steps)
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

/** What timing.json promises: a picture of each step, or of every k-th and the last. @throws PregenError `E_FILE_CHANGED` */
function checkSteps(folder: string, timing: Timing, steps: readonly number[]): void {
  const count = timingSteps(timing)
  const told = `though ${TIMING_NAME} tells of ${count} ${count === 1 ? 'step' : 'steps'}`
  const every = steps[0] === undefined || steps[0] > count ? 1 : steps[0]
  for (let step = every; step <= count; step = step === count ? count + 1 : Math.min(step + every, count)) {
    if (!steps.includes(step)) throw changedSinceRun(join(folder, pictureName(step)), `is missing, ${told}`)
  }
  const stranger = steps.find((step) => step > count || (step % every !== 0 && step !== count))
  if (stranger === undefined) return
  const isBeyond = stranger > count
  // Where a picture stands between those of every k-th step, the first of them is what is missing.
  if (isBeyond) throw changedSinceRun(join(folder, pictureName(stranger)), `is there, ${told}`)
  throw changedSinceRun(join(folder, pictureName(1)), `is missing, ${told}`)
}
