/** `final.thumb.webp`: a small face of the final picture for lists and grids. */
import { loadSharp } from '../images/load-sharp.ts'

/** Longest edge in pixels; a smaller picture is never enlarged. */
const THUMBNAIL_EDGE = 256
const THUMBNAIL_QUALITY = 85

/**
 * @param rgb width × height × 3 bytes, row by row
 * @returns WebP, aspect kept
 */
export async function encodeThumbnail(rgb: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const sharp = await loadSharp()
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .resize({ width: THUMBNAIL_EDGE, height: THUMBNAIL_EDGE, fit: 'inside', withoutEnlargement: true })
    .webp({ quality: THUMBNAIL_QUALITY })
    .toBuffer()
}
