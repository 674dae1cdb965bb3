/** Previews at the picture's own size. */
import { loadSharp } from '../images/load-sharp.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'

/**
 * Brings a picture to width × height with a bicubic filter (Catmull-Rom: smooth, and no ringing worth
 * mentioning at 8×), on sharp's threads. The same input gives the same bytes. libvips samples half a pixel
 * of the result off centre, which no eye sees. A picture of that size already is returned as it is.
 */
export async function enlarge(image: RgbImage, width: number, height: number): Promise<RgbImage> {
  if (image.width === width && image.height === height) return image
  const sharp = await loadSharp()
  const { data, info } = await sharp(image.rgb, {
    raw: { width: image.width, height: image.height, channels: 3 },
  })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer({ resolveWithObject: true })
  return {
    rgb: new Uint8Array(data.buffer, data.byteOffset, data.length),
    width: info.width,
    height: info.height,
  }
}
