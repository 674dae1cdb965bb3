/** A video as a folder of numbered pictures: `000.png`, `001.png`, … in the order of their numbers. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { decodeImage, inspectImage } from './decode-image.ts'
import { fitImage, type ImageFit } from './fit-image.ts'
import type { ImageSize } from './image-size.ts'
import { imageDigest, readSource } from './init-image.ts'

const PICTURE = /(\d{1,9})\.(?:png|jpe?g|webp|gif|tiff?|bmp|avif)$/i
/** As many as a video may have, and more. */
const MAX_PICTURES = 20_000

/**
 * Paths of a folder's pictures, by number.
 * @throws PregenError `E_VIDEO_MISSING` where there is no such folder, `E_VIDEO_EMPTY` where it holds no numbered picture
 */
export async function listClip(folder: string): Promise<readonly string[]> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    const code = errorCode(error)
    const isMissing = code === 'ENOENT'
    const what = isMissing
      ? `There is no folder or file "${folder}".`
      : `"${folder}" cannot be read as a folder: ${messageOf(error)}`
    throw new PregenError('E_VIDEO_MISSING', what, {
      help: 'A video is given as a folder of numbered pictures (0001.png, 0002.png, …) or as a file; its path is relative to the sheet.',
      cause: error,
    })
  }
  const numbered = names.flatMap((name) => {
    const number = PICTURE.exec(name)?.[1]
    return number === undefined ? [] : [{ name, number: Number(number) }]
  })
  if (numbered.length === 0) {
    throw new PregenError('E_VIDEO_EMPTY', `The folder "${folder}" holds no numbered pictures.`, {
      help: 'Their names must end in a number: 0001.png, 0002.png, …',
    })
  }
  numbered.sort((a, b) => a.number - b.number || (a.name < b.name ? -1 : 1))
  return numbered.slice(0, MAX_PICTURES).map(({ name }) => join(folder, name))
}

/**
 * Reads every picture and looks at its header.
 * @returns sha-256 over the pictures' own
 * @throws PregenError `E_IMAGE_…`
 */
export async function checkClip(paths: readonly string[], signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for (const source of paths) {
    signal?.throwIfAborted()
    const { bytes, shown, limits } = await readSource({ source, signal })
    await inspectImage(bytes, shown, limits.maxPixels)
    hash.update(imageDigest(bytes))
  }
  return hash.digest('hex')
}

/** The pictures one by one at a size, and the hash of what has been read after the last. */
export async function* readClip(
  paths: readonly string[],
  size: ImageSize,
  fit: ImageFit | undefined,
  onBytes: (sha256: string) => void,
): AsyncGenerator<RgbImage> {
  for (const source of paths) {
    const { bytes, shown, limits } = await readSource({ source })
    onBytes(imageDigest(bytes))
    const image = await decodeImage(bytes, shown, limits.maxPixels)
    yield fitImage(image, size, fit)
  }
}
