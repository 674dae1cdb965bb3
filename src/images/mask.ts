/** The mask of inpainting: white is drawn anew, black is kept. Read and brought to size as the picture that it belongs to. */
import { type InitImageRequest, loadInitImage } from './init-image.ts'

export interface LoadedMask {
  /** [height, width]: 1 where the picture is drawn anew, 0 where it is kept. */
  readonly values: Float32Array
  /** Of the source's bytes, in hex. */
  readonly sha256: string
}

/** Grey of which on the picture is drawn anew: diffusers' 0.5 of 255. */
const THRESHOLD = 128

/**
 * Resized in its own colours, then grey, then black and white, as diffusers' mask processor does.
 *
 * @throws PregenError as `loadInitImage`
 */
export async function loadMask(request: InitImageRequest): Promise<LoadedMask> {
  const { rgb, sha256 } = await loadInitImage(request)
  const values = new Float32Array(rgb.length / 3)
  for (let i = 0; i < values.length; i++) {
    values[i] = greyOf(rgb[3 * i]!, rgb[3 * i + 1]!, rgb[3 * i + 2]!) >= THRESHOLD ? 1 : 0
  }
  return { values, sha256 }
}

/** Pillow's "L": ITU-R 601-2 luma in 16 bits, rounded. */
function greyOf(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
}
