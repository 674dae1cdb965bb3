/** A picture as CLIP is shown it: transformers' CLIPImageProcessor with Pillow's BICUBIC. */
import type { RgbImage } from '../tensor/rgb-image.ts'
import { resizeBicubic } from './pillow-resize.ts'

export interface VisionSettings {
  /** Of the square that is cropped from the middle. */
  readonly side: number
  /** What the shorter edge is brought to before. */
  readonly shortestEdge: number
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

/** @returns [3, side, side] */
export function visionInput(
  image: RgbImage,
  { side, shortestEdge, mean, std }: VisionSettings,
): Float32Array {
  const { width, height } = image
  const isWide = width > height
  const longest = Math.trunc((shortestEdge * Math.max(width, height)) / Math.min(width, height))
  const size = isWide
    ? { width: longest, height: shortestEdge }
    : { width: shortestEdge, height: width === height ? shortestEdge : longest }
  const [left, top] = [Math.floor((size.width - side) / 2), Math.floor((size.height - side) / 2)]
  const { rgb } = resizeBicubic(image, size, { left, top, width: side, height: side })
  const plane = side * side
  const values = new Float32Array(3 * plane)
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < plane; i++) {
      // numpy scales in float64 and then computes in float32.
      const scaled = Math.fround(rgb[3 * i + channel]! * (1 / 255))
      const centred = Math.fround(scaled - Math.fround(mean[channel]!))
      values[channel * plane + i] = centred / Math.fround(std[channel]!)
    }
  }
  return values
}
