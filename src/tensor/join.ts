/** Putting embeddings together: tensors of shape [batch, tokens, channels] side by side, one after another, stacked. */
import { createTensor, type Tensor } from './tensor.ts'

/** [b, t, c1] + [b, t, c2] → [b, t, c1 + c2]; works for [b, c] too. @throws RangeError when the rest differs */
export function joinChannels(left: Tensor, right: Tensor): Tensor {
  const [a, b] = [left.dims.at(-1)!, right.dims.at(-1)!]
  const rows = left.data.length / a
  requireEqual(left.dims.slice(0, -1), right.dims.slice(0, -1))
  const data = new Float32Array(rows * (a + b))
  for (let row = 0; row < rows; row++) {
    data.set(left.data.subarray(row * a, (row + 1) * a), row * (a + b))
    data.set(right.data.subarray(row * b, (row + 1) * b), row * (a + b) + a)
  }
  return createTensor(data, [...left.dims.slice(0, -1), a + b])
}

/** [1, t1, c] + [1, t2, c] → [1, t1 + t2, c]. @throws RangeError unless both have a batch of 1 and equal channels */
export function joinTokens(first: Tensor, second: Tensor): Tensor {
  const channels = first.dims.at(-1)!
  requireEqual([1, channels, 1, channels], [first.dims[0]!, channels, second.dims[0]!, second.dims.at(-1)!])
  return createTensor(joined([first, second]), [1, first.dims[1]! + second.dims[1]!, channels])
}

/** Zeros after the last channel, up to `channels`. @throws RangeError when there are more already */
export function padChannels(tensor: Tensor, channels: number): Tensor {
  const own = tensor.dims.at(-1)!
  if (own > channels) throw new RangeError(`${own} channels do not fit into ${channels}`)
  if (own === channels) return tensor
  const rows = tensor.data.length / own
  const data = new Float32Array(rows * channels)
  for (let row = 0; row < rows; row++)
    data.set(tensor.data.subarray(row * own, (row + 1) * own), row * channels)
  return createTensor(data, [...tensor.dims.slice(0, -1), channels])
}

/** n × [1, …] → [n, …]. @throws RangeError when shapes differ */
export function stack(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors
  if (first === undefined) throw new RangeError('nothing to stack')
  for (const tensor of tensors) requireEqual(first.dims, tensor.dims)
  return createTensor(joined(tensors), [tensors.length * first.dims[0]!, ...first.dims.slice(1)])
}

/** An independent copy: what a session returns is overwritten by its next run. */
export function copyOf(tensor: Tensor): Tensor {
  return { data: tensor.data.slice(), dims: [...tensor.dims] }
}

function joined(tensors: readonly Tensor[]): Float32Array {
  const data = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.data.length, 0))
  let offset = 0
  for (const tensor of tensors) {
    data.set(tensor.data, offset)
    offset += tensor.data.length
  }
  return data
}

function requireEqual(left: readonly number[], right: readonly number[]): void {
  if (left.length !== right.length || left.some((dim, axis) => dim !== right[axis])) {
    throw new RangeError(`shapes [${left.join(', ')}] and [${right.join(', ')}] do not fit together`)
  }
}
