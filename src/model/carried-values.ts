/**
 * What a graph that streams hands from one call to the next: `present.0`, `present.1`, … of one are `past.0`, `past.1`, … of the
 * other, as they are. They are large: each is freed as soon as it has been taken.
 */
import type { Tensor as OrtTensor } from 'onnxruntime-node'
import { freeArray } from '../tensor/buffers.ts'
import { halfTensor, type ValueInfo } from './session-values.ts'

export interface CarriedValues {
  /** In the order of their numbers. */
  readonly tensors: readonly OrtTensor[]
  /** Must not be called while a run may still read them. */
  readonly free: () => void
}

/** The outputs that a graph carries on, in order. */
export function carriedOutputs(outputs: readonly Pick<ValueInfo, 'name'>[]): string[] {
  const count = outputs.filter(({ name }) => name.startsWith('present.')).length
  return Array.from({ length: count }, (_, index) => `present.${index}`)
}

export function createCarried(tensors: readonly OrtTensor[]): CarriedValues {
  return {
    tensors,
    free() {
      for (const { data } of tensors) if (ArrayBuffer.isView(data)) freeArray(data)
    },
  }
}

export function feedsOf({ tensors }: CarriedValues): Record<string, OrtTensor> {
  return Object.fromEntries(tensors.map((tensor, index) => [`past.${index}`, feedable(tensor)]))
}

/** Halves go in by the way of other inputs: Node's own arrays of them are not read. */
function feedable(tensor: OrtTensor): OrtTensor {
  const { data, dims } = tensor
  if (tensor.type !== 'float16' || !ArrayBuffer.isView(data)) return tensor
  return halfTensor(new Uint16Array(data.buffer, data.byteOffset, tensor.size), dims)
}
