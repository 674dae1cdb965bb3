/** 8-bit RGB pictures, and the way to one from what a decoder gives. */

export interface RgbImage {
  /** Interleaved, row by row: width · height · 3 bytes. */
  readonly rgb: Uint8Array
  readonly width: number
  readonly height: number
}

/**
 * diffusers' VaeImageProcessor: clamp(x / 2 + 0.5) · 255 in float32, rounded half to even as numpy does.
 * @param pixels [3, height, width], values about −1 … 1 and finite
 */
export function toRgb(pixels: Float32Array, width: number, height: number): RgbImage {
  const { fround } = Math
  const plane = width * height
  // A clamped array rounds half to even and keeps to 0 … 255 by itself, without a branch.
  const levels = new Uint8ClampedArray(3 * plane)
  // x · 0.5 is exact, and a float64 sum rounded to float32 is the float32 sum: one rounding for both.
  for (let i = 0, at = 0; i < plane; i++, at += 3) {
    levels[at] = fround(fround(pixels[i]! * 0.5 + 0.5) * 255)
    levels[at + 1] = fround(fround(pixels[i + plane]! * 0.5 + 0.5) * 255)
    levels[at + 2] = fround(fround(pixels[i + 2 * plane]! * 0.5 + 0.5) * 255)
  }
  const rgb = new Uint8Array(levels.buffer)
  return { rgb, width, height }
}
