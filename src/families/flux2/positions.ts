/** Where tokens stand: (t, row, column, l), as diffusers numbers them for FLUX.2. */
import { createTensor, type Tensor } from '../../tensor/tensor.ts'

/** Reference pictures stand at t = 10, 20, 30, …; the picture that is drawn at 0. */
const REFERENCE_DISTANCE = 10

export interface TokenGrid {
  readonly rows: number
  readonly columns: number
}

/** @param grids the picture's own, then those of the references. @returns [pictures, tokens, 4] */
export function imagePositions(pictures: number, grids: readonly TokenGrid[]): Tensor {
  const row = grids.flatMap(({ rows, columns }, index) =>
    Array.from({ length: rows * columns }, (_, token) => [
      index * REFERENCE_DISTANCE,
      Math.floor(token / columns),
      token % columns,
      0,
    ]),
  )
  return repeated(pictures, row)
}

/** @returns [pictures, tokens, 4] */
export function textPositions(pictures: number, tokens: number): Tensor {
  return repeated(
    pictures,
    Array.from({ length: tokens }, (_, token) => [0, 0, 0, token]),
  )
}

function repeated(pictures: number, row: readonly (readonly number[])[]): Tensor {
  const one = Float32Array.from(row.flat())
  const data = new Float32Array(pictures * one.length)
  for (let index = 0; index < pictures; index++) data.set(one, index * one.length)
  return createTensor(data, [pictures, row.length, 4])
}
