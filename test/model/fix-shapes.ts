/** Rewrites an .onnx file so that its inputs and outputs have sizes built in, as exports with fixed shapes have. */
import { readFileSync, writeFileSync } from 'node:fs'

/** Field numbers from ModelProto down to a value's dimensions: graph, input or output, type, tensor_type, shape, dim. */
const GRAPH = 7
const VALUES = new Set([11, 12])
const TO_DIMS = [2, 1, 2, 1]

/** @param sizes by input or output: its dimensions; null leaves one as it is */
export function fixShapes(path: string, sizes: Readonly<Record<string, readonly (number | null)[]>>): void {
  const model = readFileSync(path)
  const graph = (bytes: Buffer) =>
    rewrite(bytes, (field, content) => {
      if (!VALUES.has(field)) return content
      const wanted = sizes[nameOf(content)]
      if (wanted === undefined) return content
      let axis = 0
      return within(content, TO_DIMS, (dim) => {
        const size = wanted[axis++]
        return size == null ? dim : Buffer.from([0x08, ...varint(size)])
      })
    })
  writeFileSync(
    path,
    rewrite(model, (field, content) => (field === GRAPH ? graph(content) : content)),
  )
}

function within(bytes: Buffer, [field, ...rest]: readonly number[], change: (dim: Buffer) => Buffer): Buffer {
  return rewrite(bytes, (each, content) => {
    if (each !== field) return content
    return rest.length === 0 ? change(content) : within(content, rest, change)
  })
}

/** A message with its nested fields changed; numbers stay. */
function rewrite(bytes: Buffer, change: (field: number, content: Buffer) => Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const start = at
    const [key, afterKey] = readVarint(bytes, at)
    at = afterKey
    if ((key & 7) === 0) at = readVarint(bytes, at)[1]
    else if ((key & 7) === 1) at += 8
    else if ((key & 7) === 5) at += 4
    else {
      const [length, content] = readVarint(bytes, at)
      at = content + length
      const changed = change(Math.floor(key / 8), bytes.subarray(content, at))
      parts.push(Buffer.from([...varint(key), ...varint(changed.length)]), changed)
      continue
    }
    parts.push(bytes.subarray(start, at))
  }
  return Buffer.concat(parts)
}

function nameOf(value: Buffer): string {
  let name = ''
  rewrite(value, (field, content) => {
    if (field === 1) name = content.toString()
    return content
  })
  return name
}

function readVarint(bytes: Buffer, start: number): [number, number] {
  let value = 0
  let at = start
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at++]!
    value += (byte & 127) * factor
    if (byte < 128) return [value, at]
  }
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
}
