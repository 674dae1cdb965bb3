/**
 * Pillow's `Image.resize(size, LANCZOS)` for 8-bit RGB, bit for bit (`src/libImaging/Resample.c`): windows of
 * three lobes widened when shrinking, coefficients in fixed point, the horizontal pass rounded and clipped to
 * bytes before the vertical one.
 */

import type { ImageSize, RgbImage } from './rgb-image.ts'

/** Fraction bits of a coefficient: 32 less 8 of the byte and 2 for sums that overshoot. */
const precisionBits = 22
const lobes = 3

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
export function resizeLanczos(
  image: RgbImage,
  target: ImageSize,
  region: Region = { left: 0, top: 0, ...target },
): RgbImage {
  const rows =
    image.height === target.height
      ? identityWindows(region.top, region.height)
      : lanczosWindows(image.height, target.height, region.top, region.height)
  const columns =
    image.width === target.width
      ? identityWindows(region.left, region.width)
      : lanczosWindows(image.width, target.width, region.left, region.width)

  const firstRow = rows.starts[0]!
  const lastRow = rows.starts.at(-1)! + rows.lengths.at(-1)!
  const narrowed = resizeColumns(image, columns, firstRow, lastRow)
  return {
    pixels: resizeRows(narrowed, rows, firstRow, region.width),
    width: region.width,
    height: region.height,
  }
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI)
}

function lanczos(x: number): number {
  return x >= -lobes && x < lobes ? sinc(x) * sinc(x / lobes) : 0
}

function lanczosWindows(inputSize: number, outputSize: number, first: number, count: number): Windows {
  const scale = inputSize / outputSize
  const filterScale = Math.max(scale, 1)
  const support = lobes * filterScale
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
      const weight = lanczos((x + start - center + 0.5) * (1 / filterScale))
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

/** A side that keeps its length is copied: a pass over it would round to the same bytes. */
function identityWindows(first: number, count: number): Windows {
  return {
    starts: Int32Array.from({ length: count }, (_, i) => first + i),
    lengths: new Int32Array(count).fill(1),
    coefficients: new Int32Array(count).fill(1 << precisionBits),
    stride: 1,
  }
}

/** Rows `firstRow` … `lastRow` − 1 of the picture, each brought to the windows' length. */
function resizeColumns(
  image: RgbImage,
  windows: Windows,
  firstRow: number,
  lastRow: number,
): Uint8ClampedArray {
  const { starts, lengths, coefficients, stride } = windows
  const { pixels } = image
  const output = new Uint8ClampedArray((lastRow - firstRow) * starts.length * 3)
  let to = 0
  for (let row = firstRow; row < lastRow; row++) {
    for (let x = 0; x < starts.length; x++) {
      let red = 1 << (precisionBits - 1)
      let green = red
      let blue = red
      let from = 3 * (row * image.width + starts[x]!)
      for (let k = x * stride; k < x * stride + lengths[x]!; k++) {
        const coefficient = coefficients[k]!
        red = (red + Math.imul(pixels[from++]!, coefficient)) | 0
        green = (green + Math.imul(pixels[from++]!, coefficient)) | 0
        blue = (blue + Math.imul(pixels[from++]!, coefficient)) | 0
      }
      output[to++] = red >> precisionBits
      output[to++] = green >> precisionBits
      output[to++] = blue >> precisionBits
    }
  }
  return output
}

/** @param input rows of `width` pixels, the first of them row `firstRow` of the picture */
function resizeRows(input: Uint8ClampedArray, windows: Windows, firstRow: number, width: number): Uint8Array {
  const { starts, lengths, coefficients, stride } = windows
  const rowLength = width * 3
  const output = new Uint8ClampedArray(starts.length * rowLength)
  const sums = new Int32Array(rowLength)
  for (let y = 0; y < starts.length; y++) {
    sums.fill(1 << (precisionBits - 1))
    for (let k = 0; k < lengths[y]!; k++) {
      const coefficient = coefficients[y * stride + k]!
      const from = (starts[y]! - firstRow + k) * rowLength
      for (let i = 0; i < rowLength; i++) sums[i]! += Math.imul(input[from + i]!, coefficient)
    }
    for (let i = 0; i < rowLength; i++) output[y * rowLength + i] = sums[i]! >> precisionBits
  }
  return new Uint8Array(output.buffer)
}
