/** EXIF orientation, as Pillow's `ImageOps.exif_transpose` applies it. */

import type { ImageSize, RgbImage } from './rgb-image.ts'

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
  const pixels = new Uint8Array(image.pixels.length)
  let to = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const column = transposed ? y : x
      const row = transposed ? x : y
      const sourceX = flipX ? image.width - 1 - column : column
      const sourceY = flipY ? image.height - 1 - row : row
      const from = 3 * (sourceY * image.width + sourceX)
      pixels[to++] = image.pixels[from]!
      pixels[to++] = image.pixels[from + 1]!
      pixels[to++] = image.pixels[from + 2]!
    }
  }
  return { pixels, width, height }
}

function isTransposed(orientation: number): boolean {
  return orientation >= firstTransposed && orientation <= 8
}
