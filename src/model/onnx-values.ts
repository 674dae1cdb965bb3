/** Numbers of an .onnx file as pregen reads them. Field values are those of onnx.proto3. */
import { ProtobufError } from './protobuf-reader.ts'

const MAX_DIMENSION = 2 ** 31

/** TensorProto.DataType */
const TYPES = [
  'undefined',
  'float32',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'float64',
  'uint32',
  'uint64',
  'complex64',
  'complex128',
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'uint4',
  'int4',
  'float4e2m1',
] as const

/** Some exporters write 0 or −1 where a size is free. */
export function dimension(value: bigint): number | string {
  const size = Number(BigInt.asIntN(64, value))
  if (size > MAX_DIMENSION) throw new ProtobufError('malformed', `a dimension of ${size}`)
  return size > 0 ? size : '?'
}

/** A place or length of external data; NaN for anything that is none. */
export function byteCount(text: string): number {
  return /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
}

export function typeName(code: number): string {
  return TYPES[code] ?? `type ${code}`
}
