/** EXIF orientation, as Pillow's `ImageOps.exif_transpose` applies it. */

import type { RgbImage } from '../tensor/rgb-image.ts'
import type { ImageSize } from './image-size.ts'

/** Orientations from here up swap width and height. */
const firstTransposed = 5

/** The size of a picture once its orientation is applied. */
export function orientedSize({ width, height }: ImageSize, orientation: number): ImageSize {
  return isTransposed(orientation) ? { width: height, height: width } : { width, height }
}

/**
 * @param orientation 1 … 8 as EXIF has it; anything else counts as 1
 * @returns `image` itself where there is nothing to turn
 */
export function applyOrientation(image: RgbImage, orientation: number): RgbImage {
  if (!Number.isInteger(orientation) || orientation < 2 || orientation > 8) return image
  const { width, height } = orientedSize(image, orientation)
  const transposed = isTransposed(orientation)
  // Which of the source's axes run backwards: columns, rows.
  const flipX = [2, 3, 7, 8].includes(orientation)
  const flipY = [3, 4, 6, 7].includes(orientation)
  const rgb = new Uint8Array(image.rgb.length)
  let to = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const column = transposed ? y : x
      const row = transposed ? x : y
      const sourceX = flipX ? image.width - 1 - column : column
      const sourceY = flipY ? image.height - 1 - row : row
      const from = 3 * (sourceY * image.width + sourceX)
      rgb[to++] = image.rgb[from]!
      rgb[to++] = image.rgb[from + 1]!
      rgb[to++] = image.rgb[from + 2]!
    }
  }
  return { rgb, width, height }
}

function isTransposed(orientation: number): boolean {
  return orientation >= firstTransposed && orientation <= 8
}
