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
  const rgb = new Uint8Array(3 * plane)
  for (let channel = 0; channel < 3; channel++) {
    let at = channel
    for (let i = channel * plane; i < (channel + 1) * plane; i++, at += 3) {
      const unit = fround(fround(pixels[i]! * 0.5) + 0.5)
      if (unit >= 1) rgb[at] = 255
      else if (unit > 0) {
        const level = fround(unit * 255)
        const rounded = (level + 0.5) | 0
        rgb[at] = rounded - level === 0.5 ? rounded & ~1 : rounded
      }
    }
  }
  return { rgb, width, height }
}
