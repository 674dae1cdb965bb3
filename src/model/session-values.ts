/** Values in and out of a session: numbers written in the type that the model declares, results read as float32. */
import { Tensor as OrtTensor } from 'onnxruntime-node'
import { readFloat16, writeFloat16 } from '../tensor/float16.ts'
import { sizeOf } from '../tensor/tensor.ts'

/** What a model says of one of its inputs or outputs. */
export interface ValueInfo {
  readonly name: string
  /** `float32`, `float16`, `int64`, `int32`, … */
  readonly type: string
  /** A number where the export fixed it, else the export's name of the dimension. */
  readonly dims: readonly (number | string)[]
}

/** A model input with a buffer of its own, reused from run to run. */
export interface ModelInput {
  readonly name: string
  readonly dims: readonly number[]
  /** For `session.run` alone: of a half-precision input it has no more than ONNX Runtime reads. */
  readonly tensor: OrtTensor
  /** Converts `source` to the model's type, from element `offset` on. Integers are truncated, as torch casts. */
  write(source: ArrayLike<number>, offset?: number): void
}

/** @throws RangeError for a type that no diffusion export uses */
export function createInput(info: ValueInfo, dims: readonly number[]): ModelInput {
  const { name } = info
  const size = sizeOf(dims)
  switch (info.type) {
    case 'float32': {
      const data = new Float32Array(size)
      return {
        name,
        dims,
        tensor: new OrtTensor('float32', data, dims),
        write: (source, at) => data.set(source, at),
      }
    }
    case 'float64': {
      const data = new Float64Array(size)
      return {
        name,
        dims,
        tensor: new OrtTensor('float64', data, dims),
        write: (source, at) => data.set(source, at),
      }
    }
    case 'float16': {
      const data = new Uint16Array(size)
      return {
        name,
        dims,
        tensor: halfTensor(data, dims),
        write: (source, at) => writeFloat16(source, data, at),
      }
    }
    case 'int32': {
      const data = new Int32Array(size)
      return {
        name,
        dims,
        tensor: new OrtTensor('int32', data, dims),
        write: (source, at) => data.set(source, at),
      }
    }
    case 'int64': {
      const data = new BigInt64Array(size)
      const write = (source: ArrayLike<number>, at = 0) => {
        for (let i = 0; i < source.length; i++) data[at + i] = BigInt(Math.trunc(source[i]!))
      }
      return { name, dims, tensor: new OrtTensor('int64', data, dims), write }
    }
    case 'bool': {
      const data = new Uint8Array(size)
      return {
        name,
        dims,
        tensor: new OrtTensor('bool', data, dims),
        write: (source, at) => data.set(source, at),
      }
    }
    default:
      throw new RangeError(`input "${name}" has type ${info.type}, which cannot be fed`)
  }
}

/**
 * A half-precision input. Node 24 has a Float16Array, which onnxruntime-common then insists on and the native binding
 * of 1.30 cannot read; the binding itself takes any object with these four properties, on every Node.
 */
export function halfTensor(data: Uint16Array, dims: readonly number[]): OrtTensor {
  return Object.assign(Object.create(null), { type: 'float16', data, dims, location: 'cpu' })
}

/** An output's numbers as float32; other types are converted into a buffer kept per name in `scratch`. */
export function readOutput(
  name: string,
  tensor: OrtTensor,
  scratch: Map<string, Float32Array>,
): Float32Array {
  const { data } = tensor
  if (data instanceof Float32Array) return data
  if (!ArrayBuffer.isView(data)) throw new RangeError(`output "${name}" is a list of strings`)
  let out = scratch.get(name)
  if (out === undefined || out.length !== tensor.size) {
    out = new Float32Array(tensor.size)
    scratch.set(name, out)
  }
  if (tensor.type === 'float16') {
    return readFloat16(new Uint16Array(data.buffer, data.byteOffset, tensor.size), out)
  }
  for (let i = 0; i < out.length; i++) out[i] = Number(data[i])
  return out
}
