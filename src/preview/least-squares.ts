/** Linear least squares with a bias, by the normal equations in float64: one pass, and memory for the sums alone. */

import type { LatentRgbFactors } from '../families/family.ts'
import { notFinite } from './image-of-tensor.ts'

/** Sums over pixels of x·xᵀ and x·yᵀ, where x = (latent channels…, 1) and y = (red, green, blue). */
export interface NormalEquations {
  /** C + 1. */
  readonly size: number
  /** size × size, row-major; only the lower triangle is kept. */
  readonly gram: Float64Array
  /** size × 3, row-major. */
  readonly cross: Float64Array
}

export function createNormalEquations(channels: number): NormalEquations {
  const size = channels + 1
  return { size, gram: new Float64Array(size * size), cross: new Float64Array(size * 3) }
}

/**
 * Adds every pixel of one picture.
 * @param latents [C, h, w] in C order
 * @param targets [h, w, 3] interleaved, −1 … 1
 * @throws PregenError `E_PREVIEW_NOT_FINITE` for NaN or infinity in the latents
 */
export function addPicture(sums: NormalEquations, latents: Float32Array, targets: Float64Array): void {
  const { size, gram, cross } = sums
  const plane = targets.length / 3
  const x = new Float64Array(size)
  x[size - 1] = 1
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let channel = 0; channel < size - 1; channel++) {
      const value = latents[channel * plane + pixel]!
      if (!Number.isFinite(value)) throw notFinite('The latent state', value)
      x[channel] = value
    }
    for (let row = 0; row < size; row++) {
      const value = x[row]!
      for (let column = 0; column <= row; column++) gram[row * size + column]! += value * x[column]!
      for (let colour = 0; colour < 3; colour++) {
        cross[row * 3 + colour]! += value * targets[pixel * 3 + colour]!
      }
    }
  }
}

/** total ± part, as new sums: minus leaves a picture out again. */
export function combine(total: NormalEquations, part: NormalEquations, sign: 1 | -1): NormalEquations {
  return {
    size: total.size,
    gram: total.gram.map((value, i) => value + sign * part.gram[i]!),
    cross: total.cross.map((value, i) => value + sign * part.cross[i]!),
  }
}

/**
 * A little ridge, relative to the channels' mean energy: it keeps the system solvable when a channel is
 * constant or pixels are few, and is far too small to be seen otherwise.
 */
const RIDGE = 1e-6

/** Solves for the factors and the bias that minimise the squared error, by Cholesky. The bias is not shrunk. */
export function solve(sums: NormalEquations): LatentRgbFactors {
  const { size, cross } = sums
  const channels = size - 1
  const matrix = Float64Array.from(sums.gram)
  let energy = 0
  for (let i = 0; i < channels; i++) energy += matrix[i * size + i]!
  const ridge = (RIDGE * energy) / channels || Number.MIN_VALUE
  for (let i = 0; i < channels; i++) matrix[i * size + i]! += ridge

  // 1. Cholesky: matrix = L·Lᵀ, L in the lower triangle.
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = matrix[row * size + column]!
      for (let k = 0; k < column; k++) sum -= matrix[row * size + k]! * matrix[column * size + k]!
      // Rounding can take a pivot of a singular system below zero; the floor makes its unknown 0 in effect.
      if (row === column) matrix[row * size + row] = Math.sqrt(Math.max(sum, ridge * 1e-6))
      else matrix[row * size + column] = sum / matrix[column * size + column]!
    }
  }
  // 2. L·z = cross, then Lᵀ·w = z, for the three colours at once.
  const w = Float64Array.from(cross)
  for (let colour = 0; colour < 3; colour++) {
    for (let row = 0; row < size; row++) {
      let sum = w[row * 3 + colour]!
      for (let k = 0; k < row; k++) sum -= matrix[row * size + k]! * w[k * 3 + colour]!
      w[row * 3 + colour] = sum / matrix[row * size + row]!
    }
    for (let row = size - 1; row >= 0; row--) {
      let sum = w[row * 3 + colour]!
      for (let k = row + 1; k < size; k++) sum -= matrix[k * size + row]! * w[k * 3 + colour]!
      w[row * 3 + colour] = sum / matrix[row * size + row]!
    }
  }
  const triple = (row: number) => [w[row * 3]!, w[row * 3 + 1]!, w[row * 3 + 2]!] as const
  return {
    factors: Array.from({ length: channels }, (_, channel) => triple(channel)),
    bias: triple(channels),
  }
}
