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

/** The memory of float32 values as bytes, in this machine's order. */
export function bytesOfFloats({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

export function zeros(dims: readonly number[]): Tensor {
  return { data: new Float32Array(sizeOf(dims)), dims }
}

export type TensorFault = 'NaN' | 'infinite' | 'all zero'

/** The fault that makes a tensor useless, or null: a broken fp16 kernel gives NaN, infinity or all zeros. */
export function findFault(data: Float32Array): TensorFault | null {
  const fault = findNotFinite(data)
  if (fault !== undefined) return Number.isNaN(fault) ? 'NaN' : 'infinite'
  return data.length === 0 || data.some((value) => value !== 0) ? null : 'all zero'
}

/** The first value that is NaN or infinite; undefined where all are finite. */
export function findNotFinite(data: Float32Array): number | undefined {
  // v − v is 0 for a finite value and NaN for any other: a sum without branches, since all that a model gives passes here.
  let sum = 0
  for (let i = 0; i < data.length; i++) sum += data[i]! - data[i]!
  return Number.isNaN(sum) ? data.find((value) => !Number.isFinite(value)) : undefined
}
