/** FLUX's tokens: each 2 × 2 patch of the latents is one token of 4 · channels values. */
import { createTensor, type Tensor } from '../tensor/tensor.ts'

/** [batch, channels, height, width] */
type PlaneDims = readonly [number, number, number, number]

/** [B, C, h, w] → [B, (h/2)·(w/2), 4·C], a new array; within a token: channel, then row, then column of the patch. */
export function packLatents(latents: Float32Array, dims: PlaneDims): Float32Array {
  const packed = new Float32Array(latents.length)
  forEachPair(dims, (plain, token) => {
    packed[token] = latents[plain]!
  })
  return packed
}

/** The inverse, into `out`. @returns `out` */
export function unpackLatents(packed: Float32Array, dims: PlaneDims, out: Float32Array): Float32Array {
  forEachPair(dims, (plain, token) => {
    out[plain] = packed[token]!
  })
  return out
}

/** Each image token's place: (0, row, column). @returns [rows · columns, 3] */
export function imageIds(rows: number, columns: number): Tensor {
  const data = new Float32Array(rows * columns * 3)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) data.set([0, row, column], (row * columns + column) * 3)
  }
  return createTensor(data, [rows * columns, 3])
}

function forEachPair(
  [batch, channels, height, width]: PlaneDims,
  visit: (plain: number, token: number) => void,
): void {
  const columns = width / 2
  const tokens = (height / 2) * columns
  let plain = 0
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const index = (y >> 1) * columns + (x >> 1)
          visit(plain++, (b * tokens + index) * 4 * channels + c * 4 + (y & 1) * 2 + (x & 1))
        }
      }
    }
  }
}
