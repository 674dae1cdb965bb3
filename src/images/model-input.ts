import type { RgbImage } from '../tensor/rgb-image.ts'

/** Each byte's value for the VAE, rounded to float32 after each operation as numpy and torch do. */
const normalized = Float32Array.from({ length: 256 }, (_, byte) => Math.fround(byte / 255) * 2 - 1)

/**
 * What the VAE encoder takes: x / 255 · 2 − 1, as diffusers' `VaeImageProcessor.preprocess`.
 *
 * @returns [3, height, width] in [−1, 1], one batch row of NCHW
 */
export function toModelInput({ rgb, width, height }: RgbImage): Float32Array {
  const plane = width * height
  const input = new Float32Array(3 * plane)
  for (let i = 0; i < plane; i++) {
    input[i] = normalized[rgb[3 * i]!]!
    input[plane + i] = normalized[rgb[3 * i + 1]!]!
    input[2 * plane + i] = normalized[rgb[3 * i + 2]!]!
  }
  return input
}
