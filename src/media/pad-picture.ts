/** Pictures whose sides an encoder takes: padded by repeating the last column and row, which no eye sees. */
import type { RgbImage } from '../tensor/rgb-image.ts'

/** The next multiple. */
export function paddedSide(side: number, multiple: number): number {
  return Math.ceil(side / multiple) * multiple
}

/** The picture itself where nothing is missing. */
export function padPicture(picture: RgbImage, multiple: number): RgbImage {
  const width = paddedSide(picture.width, multiple)
  const height = paddedSide(picture.height, multiple)
  if (width === picture.width && height === picture.height) return picture
  const rgb = new Uint8Array(width * height * 3)
  const [from, to] = [picture.width * 3, width * 3]
  for (let y = 0; y < height; y++) {
    const row = Math.min(y, picture.height - 1) * from
    rgb.set(picture.rgb.subarray(row, row + from), y * to)
    for (let x = from; x < to; x += 3) {
      rgb.set(picture.rgb.subarray(row + from - 3, row + from), y * to + x)
    }
  }
  return { rgb, width, height }
}
