/**
 * Pillow's `Image.resize(size, LANCZOS)` and `BICUBIC` for 8-bit RGB, bit for bit (`src/libImaging/Resample.c`): windows of
 * three lobes, or of two pixels, widened when shrinking, coefficients in fixed point, and the first pass rounded and clipped to
 * bytes before the second. Which pass comes first is Pillow 13's choice; Pillow 12 and older always begin with
 * the horizontal one, and so give other bytes where a picture loses far more of its height than of its width.
 */

import type { RgbImage } from '../tensor/rgb-image.ts'
import type { ImageSize } from './image-size.ts'

/** Fraction bits of a coefficient: 32 less 8 of the byte and 2 for sums that overshoot. */
const precisionBits = 22
const lobes = 3
/** Of the cubic, as Pillow has it. */
const sharpness = -0.5

interface Filter {
  /** How far a window reaches to either side, in pixels of the smaller picture. */
  readonly support: number
  readonly weight: (x: number) => number
}

/** A rectangle of the resized picture. */
export interface Region extends ImageSize {
  readonly left: number
  readonly top: number
}

/** For each output position: where its window starts in the input, how long it is, and its coefficients. */
interface Windows {
  readonly starts: Int32Array
  readonly lengths: Int32Array
  /** `stride` for each position, unused ones at the end. */
  readonly coefficients: Int32Array
  readonly stride: number
}

/**
 * @param target size to resize to, each side 1 or more
 * @param region the part of the result that is wanted; all of it unless told otherwise
 */
export function resizeLanczos(image: RgbImage, target: ImageSize, region?: Region): RgbImage {
  return resize(image, target, LANCZOS, region)
}

/** As `resizeLanczos`, with Pillow's BICUBIC. */
export function resizeBicubic(image: RgbImage, target: ImageSize, region?: Region): RgbImage {
  return resize(image, target, BICUBIC, region)
}

function resize(
  image: RgbImage,
  target: ImageSize,
  filter: Filter,
  region: Region = { left: 0, top: 0, ...target },
): RgbImage {
  const columns = axisWindows(filter, image.width, target.width, [region.left, region.width])
  const rows = axisWindows(filter, image.height, target.height, [region.top, region.height])
  const needed = crop(image, {
    left: columns.first,
    top: rows.first,
    width: columns.end - columns.first,
    height: rows.end - rows.first,
  })
  return isVerticalFirst(image, target)
    ? resizeWidth(resizeHeight(needed, rows.windows), columns.windows)
    : resizeHeight(resizeWidth(needed, columns.windows), rows.windows)
}

/** Pillow 13 takes the vertical pass first where the height loses more than twice as many lines as the width. */
function isVerticalFirst(source: ImageSize, target: ImageSize): boolean {
  const droppedRows = source.height - target.height
  return droppedRows > 0 && droppedRows > 2 * (source.width - target.width)
}

/** Windows counted from input position `first`, and the end of what they reach; null: a side that keeps its length. */
interface Axis {
  readonly windows: Windows | null
  readonly first: number
  readonly end: number
}

function axisWindows(
  filter: Filter,
  inputSize: number,
  outputSize: number,
  [first, count]: readonly [first: number, count: number],
): Axis {
  if (inputSize === outputSize) return { windows: null, first, end: first + count }
  const windows = windowsOf(filter, inputSize, outputSize, [first, count])
  const { starts, lengths } = windows
  const firstInput = starts[0]!
  const end = starts.at(-1)! + lengths.at(-1)!
  return {
    windows: { ...windows, starts: starts.map((start) => start - firstInput) },
    first: firstInput,
    end,
  }
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI)
}

function lanczos(x: number): number {
  return x >= -lobes && x < lobes ? sinc(x) * sinc(x / lobes) : 0
}

const LANCZOS: Filter = { support: lobes, weight: lanczos }

/** Keys' cubic; multiplications nested as in Pillow. */
function bicubic(signed: number): number {
  const x = Math.abs(signed)
  if (x < 1) return ((sharpness + 2) * x - (sharpness + 3)) * x * x + 1
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * sharpness
  return 0
}

const BICUBIC: Filter = { support: 2, weight: bicubic }

function windowsOf(
  filter: Filter,
  inputSize: number,
  outputSize: number,
  [first, count]: readonly [first: number, count: number],
): Windows {
  const scale = inputSize / outputSize
  const filterScale = Math.max(scale, 1)
  const support = filter.support * filterScale
  const stride = Math.ceil(support) * 2 + 1
  const starts = new Int32Array(count)
  const lengths = new Int32Array(count)
  const coefficients = new Int32Array(count * stride)
  const weights = new Float64Array(stride)

  for (let i = 0; i < count; i++) {
    const center = (first + i + 0.5) * scale
    const start = Math.max(0, Math.trunc(center - support + 0.5))
    const length = Math.min(inputSize, Math.trunc(center + support + 0.5)) - start
    let total = 0
    for (let x = 0; x < length; x++) {
      const weight = filter.weight((x + start - center + 0.5) * (1 / filterScale))
      weights[x] = weight
      total += weight
    }
    for (let x = 0; x < length; x++) {
      const share = total === 0 ? weights[x]! : weights[x]! / total
      coefficients[i * stride + x] = Math.trunc(share * (1 << precisionBits) + (share < 0 ? -0.5 : 0.5))
    }
    starts[i] = start
    lengths[i] = length
  }
  return { starts, lengths, coefficients, stride }
}

function crop(image: RgbImage, { left, top, width, height }: Region): RgbImage {
  const rgb = new Uint8Array(width * height * 3)
  for (let row = 0; row < height; row++) {
    const from = 3 * ((top + row) * image.width + left)
    rgb.set(image.rgb.subarray(from, from + width * 3), row * width * 3)
  }
  return { rgb, width, height }
}

/** The horizontal pass. */
function resizeWidth(image: RgbImage, windows: Windows | null): RgbImage {
  if (windows === null) return image
  const { starts, lengths, coefficients, stride } = windows
  const { rgb, height } = image
  const width = starts.length
  const output = new Uint8ClampedArray(width * height * 3)
  let to = 0
  for (let row = 0; row < height; row++) {
    for (let x = 0; x < width; x++) {
      let red = 1 << (precisionBits - 1)
      let green = red
      let blue = red
      let from = 3 * (row * image.width + starts[x]!)
      for (let k = x * stride; k < x * stride + lengths[x]!; k++) {
        const coefficient = coefficients[k]!
        red = (red + Math.imul(rgb[from++]!, coefficient)) | 0
        green = (green + Math.imul(rgb[from++]!, coefficient)) | 0
        blue = (blue + Math.imul(rgb[from++]!, coefficient)) | 0
      }
      output[to++] = red >> precisionBits
      output[to++] = green >> precisionBits
      output[to++] = blue >> precisionBits
    }
  }
  return { rgb: new Uint8Array(output.buffer), width, height }
}

/** The vertical pass. */
function resizeHeight(image: RgbImage, windows: Windows | null): RgbImage {
  if (windows === null) return image
  const { starts, lengths, coefficients, stride } = windows
  const { rgb, width } = image
  const height = starts.length
  const rowLength = width * 3
  const output = new Uint8ClampedArray(height * rowLength)
  const sums = new Int32Array(rowLength)
  for (let y = 0; y < height; y++) {
    sums.fill(1 << (precisionBits - 1))
    for (let k = 0; k < lengths[y]!; k++) {
      const coefficient = coefficients[y * stride + k]!
      const from = (starts[y]! + k) * rowLength
      for (let i = 0; i < rowLength; i++) sums[i]! += Math.imul(rgb[from + i]!, coefficient)
    }
    for (let i = 0; i < rowLength; i++) output[y * rowLength + i] = sums[i]! >> precisionBits
  }
  return { rgb: new Uint8Array(output.buffer), width, height }
}
