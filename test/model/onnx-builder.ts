/** Writes small ONNX files by hand, so that tests can make every kind of broken model. Field numbers: onnx.proto3. */

type Part = Uint8Array

function varint(value: number | bigint): Part {
  const bytes: number[] = []
  let rest = BigInt(value)
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest > 0n ? low | 0x80 : low)
  } while (rest > 0n)
  return Uint8Array.from(bytes)
}

const join = (...parts: readonly Part[]): Part => Buffer.concat(parts)
const int = (field: number, value: number | bigint): Part => join(varint(field << 3), varint(value))
const bytes = (field: number, content: Part): Part =>
  join(varint((field << 3) | 2), varint(content.length), content)
const text = (field: number, value: string): Part => bytes(field, Buffer.from(value))

export const ELEMENT = { float32: 1, int32: 6, int64: 7, float16: 10, bfloat16: 16 } as const

export interface ValueSpec {
  readonly name: string
  readonly type?: number
  readonly dims?: readonly (number | string)[]
}

export interface TensorSpec {
  readonly name: string
  readonly type?: number
  readonly dims?: readonly number[]
  /** Its numbers; 4 bytes of zeros unless given. */
  readonly data?: Uint8Array
  readonly external?: { readonly location: string; readonly offset?: number; readonly length?: number }
}

export interface ModelSpec {
  readonly opset?: number
  readonly irVersion?: number
  readonly inputs?: readonly ValueSpec[]
  readonly outputs?: readonly ValueSpec[]
  readonly weights?: readonly TensorSpec[]
  /** Operator, inputs, outputs. */
  readonly nodes?: readonly (readonly [string, readonly string[], readonly string[]])[]
}

function value({ name, type = ELEMENT.float32, dims = [] }: ValueSpec): Part {
  const shape = dims.map((dim) => bytes(1, typeof dim === 'number' ? int(1, dim) : text(2, dim)))
  return join(text(1, name), bytes(2, bytes(1, join(int(1, type), bytes(2, join(...shape))))))
}

function tensor({
  name,
  type = ELEMENT.float32,
  dims = [1],
  data = new Uint8Array(4),
  external,
}: TensorSpec): Part {
  const head = [...dims.map((dim) => int(1, dim)), int(2, type), text(8, name)]
  if (external === undefined) return join(...head, bytes(9, data))
  const entry = (key: string, entryValue: string): Part => bytes(13, join(text(1, key), text(2, entryValue)))
  const entries = Object.entries(external).map(([key, part]) => entry(key, String(part)))
  return join(...head, ...entries, int(14, 1))
}

function node([operator, inputs, outputs]: readonly [string, readonly string[], readonly string[]]): Part {
  return join(
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, operator),
  )
}

export function onnxModel(spec: ModelSpec): Uint8Array {
  const { opset = 18, irVersion = 8, inputs = [], outputs = [], weights = [], nodes = [] } = spec
  const graph = join(
    ...nodes.map((each) => bytes(1, node(each))),
    text(2, 'graph'),
    ...weights.map((each) => bytes(5, tensor(each))),
    ...inputs.map((each) => bytes(11, value(each))),
    ...outputs.map((each) => bytes(12, value(each))),
  )
  return join(int(1, irVersion), bytes(7, graph), bytes(8, join(text(1, ''), int(2, opset))))
}
