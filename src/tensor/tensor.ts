/** Dense row-major arrays with a shape: what moves between random, diffusion, text, model and pipelines. */

export interface Tensor {
  /** C order; length is the product of `dims`. */
  readonly data: Float32Array
  readonly dims: readonly number[]
}

/** Number of elements of a shape. An empty shape is a scalar: 1. */
export function sizeOf(dims: readonly number[]): number {
  let size = 1
  for (const dim of dims) size *= dim
  return size
}

/** @throws RangeError when `data` does not fill `dims` exactly. */
export function createTensor(data: Float32Array, dims: readonly number[]): Tensor {
  if (data.length !== sizeOf(dims)) {
    throw new RangeError(
      `a tensor of shape [${dims.join(', ')}] needs ${sizeOf(dims)} values, got ${data.length}`,
    )
  }
  return { data, dims }
}

export function zeros(dims: readonly number[]): Tensor {
  return { data: new Float32Array(sizeOf(dims)), dims }
}

export type TensorFault = 'NaN' | 'infinite' | 'all zero'

/** The fault that makes a tensor useless, or null: a broken fp16 kernel gives NaN, infinity or all zeros. */
export function findFault(data: Float32Array): TensorFault | null {
  let nonZero = false
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!
    if (Number.isNaN(value)) return 'NaN'
    if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return 'infinite'
    if (value !== 0) nonZero = true
  }
  return nonZero || data.length === 0 ? null : 'all zero'
}
