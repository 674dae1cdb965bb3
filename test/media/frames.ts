/** Pictures that tests make videos of: a moving gradient, with as much noise as asked for. */
import type { RgbImage } from '../../src/tensor/rgb-image.ts'

export function gradientFrame(
  { width, height }: { width: number; height: number },
  frame: number,
  noise: () => number = () => 0.5,
  levels = 0,
): RgbImage {
  const rgb = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3
      const wave = Math.sin((x + 2 * frame) / 9) * 60
      rgb[at] = clamp(128 + wave + (noise() - 0.5) * levels)
      rgb[at + 1] = clamp(40 + (180 * y) / height + (noise() - 0.5) * levels)
      rgb[at + 2] = clamp(200 - (150 * x) / width + (noise() - 0.5) * levels)
    }
  }
  return { rgb, width, height }
}

/** A flat picture that tells which it is. */
export function plainFrame({ width, height }: { width: number; height: number }, level: number): RgbImage {
  return { rgb: new Uint8Array(width * height * 3).fill(level), width, height }
}

/** Peak signal to noise, in dB, over all channel values. */
export function psnr(a: RgbImage, b: RgbImage): number {
  let sum = 0
  for (let at = 0; at < a.rgb.length; at++) sum += (a.rgb[at]! - b.rgb[at]!) ** 2
  return 10 * Math.log10((255 * 255 * a.rgb.length) / Math.max(sum, 1e-9))
}

/** Of luma alone (BT.709): what remains of a picture whose colours are halved in resolution. */
export function lumaPsnr(a: RgbImage, b: RgbImage): number {
  let sum = 0
  const pixels = a.width * a.height
  for (let at = 0; at < pixels; at++) sum += (lumaOf(a.rgb, at) - lumaOf(b.rgb, at)) ** 2
  return 10 * Math.log10((255 * 255 * pixels) / Math.max(sum, 1e-9))
}

function lumaOf(rgb: Uint8Array, pixel: number): number {
  return 0.2126 * rgb[3 * pixel]! + 0.7152 * rgb[3 * pixel + 1]! + 0.0722 * rgb[3 * pixel + 2]!
}

function clamp(value: number): number {
  return Math.max(0, Math.min(255, Math.round(value)))
}
