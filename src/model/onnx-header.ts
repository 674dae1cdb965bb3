/**
 * What an .onnx file says about itself, without loading its weights: versions, inputs, outputs, element types and the
 * files that its tensors lie in. Field numbers are those of onnx.proto3.
 */
import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs'
import { byteCount, dimension, typeName } from './onnx-values.ts'
import { DELIMITED, ProtobufError, ProtobufReader, VARINT } from './protobuf-reader.ts'

export interface OnnxValue {
  readonly name: string
  /** `float32`, `float16`, `bfloat16`, `int64`, … */
  readonly type: string
  /** A number, or the name of a free dimension (`?` where it has none). */
  readonly dims: readonly (number | string)[]
}

/** A tensor's place in a file beside the model. */
export interface ExternalData {
  readonly tensor: string
  /** Relative path, as written in the model. */
  readonly location: string
  readonly offset: number
  /** null: to the end of the file. */
  readonly length: number | null
}

export interface OnnxHeader {
  readonly irVersion: number
  /** Version of the standard operators (domain `ai.onnx`), 0 when the model imports none. */
  readonly opset: number
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  readonly externalData: readonly ExternalData[]
  /** Element types of the weights, each once. */
  readonly weightTypes: readonly string[]
  readonly sizeBytes: number
  /** Whether attention is an operator of its own somewhere, and not three. */
  readonly hasFusedAttention: boolean
  /** Whether there is a softmax: attention that is not fused has one. */
  readonly hasSoftmax: boolean
}

const MODEL = { irVersion: 1, graph: 7, opsetImport: 8 } as const
const OPSET = { domain: 1, version: 2 } as const
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 } as const
const NODE = { operator: 4, attribute: 5 } as const
const ATTRIBUTE = { tensor: 5, graph: 6, tensors: 10, graphs: 11 } as const
const TENSOR = { dataType: 2, name: 8, externalData: 13, dataLocation: 14 } as const
const ENTRY = { key: 1, value: 2 } as const
const VALUE_INFO = { name: 1, type: 2 } as const
const TYPE = { tensorType: 1 } as const
const TENSOR_TYPE = { elemType: 1, shape: 2 } as const
const SHAPE = { dim: 1 } as const
const DIM = { value: 1, param: 2 } as const

/** Of com.microsoft and, from opset 23 on, of ONNX itself. */
const FUSED_ATTENTION: ReadonlySet<string> = new Set([
  ...[
    'MultiHeadAttention',
    'Attention',
    'GroupQueryAttention',
    'PackedMultiHeadAttention',
    'PackedAttention',
  ],
])

/** Subgraphs (If, Loop) deeper than this are no model. */
const MAX_DEPTH = 16
const MAX_RANK = 16
/** Inputs, outputs and files of data. */
const MAX_VALUES = 10_000

/** Headers of files that have not changed since: checks and fingerprints of one plan ask for the same ones. */
const known = new Map<string, OnnxHeader>()
const MAX_KNOWN = 32

/**
 * @throws ProtobufError for a file that is cut off or is no ONNX model; the file system's own errors
 */
export function readOnnxHeader(path: string): OnnxHeader {
  // A FIFO would have its reader wait for a writer.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    return readOpenOnnxHeader(file, fstatSync(file))
  } finally {
    closeSync(file)
  }
}

/**
 * @param file an open file's descriptor, which stays its opener's
 * @throws ProtobufError as `readOnnxHeader`
 */
export function readOpenOnnxHeader(file: number, stats: Stats): OnnxHeader {
  if (!stats.isFile()) throw new ProtobufError('malformed', 'it is no regular file')
  const { dev, ino, size, mtimeMs, ctimeMs } = stats
  const key = [dev, ino, size, mtimeMs, ctimeMs].join()
  const header = known.get(key) ?? new HeaderWalker(new ProtobufReader(file, size), size).model()
  if (known.size >= MAX_KNOWN) known.delete(known.keys().next().value ?? '')
  known.set(key, header)
  return header
}

class HeaderWalker {
  readonly #reader: ProtobufReader
  readonly #size: number
  readonly #inputs: OnnxValue[] = []
  readonly #outputs: OnnxValue[] = []
  readonly #initializers = new Set<string>()
  readonly #externalData: ExternalData[] = []
  readonly #weightTypes = new Set<string>()
  #hasFusedAttention = false
  #hasSoftmax = false

  constructor(reader: ProtobufReader, size: number) {
    this.#reader = reader
    this.#size = size
  }

  model(): OnnxHeader {
    let irVersion = 0
    let opset = 0
    let graphs = 0
    this.#reader.fields(0, this.#size, (number, wireType, start, end) => {
      if (number === MODEL.irVersion) irVersion = this.#valueOf(wireType, start, end)
      else if (number === MODEL.opsetImport) opset = Math.max(opset, this.#opset(start, end))
      else if (number === MODEL.graph && wireType === DELIMITED) {
        graphs++
        this.#graph(start, end, 0)
      }
    })
    if (irVersion === 0 || graphs !== 1) throw new ProtobufError('malformed', 'it holds no ONNX graph')
    return {
      irVersion,
      opset,
      // Files of IR version 3 list weights among the inputs; those are no inputs to feed.
      inputs: this.#inputs.filter(({ name }) => !this.#initializers.has(name)),
      outputs: this.#outputs,
      externalData: this.#externalData,
      weightTypes: [...this.#weightTypes],
      sizeBytes: this.#size,
      hasFusedAttention: this.#hasFusedAttention,
      hasSoftmax: this.#hasSoftmax,
    }
  }

  /** Version of the standard domain, 0 for any other. */
  #opset(start: number, end: number): number {
    let domain = ''
    let version = 0
    this.#reader.fields(start, end, (number, wireType, from, to) => {
      if (number === OPSET.domain) domain = this.#reader.text(from, to)
      else if (number === OPSET.version) version = this.#valueOf(wireType, from, to)
    })
    return domain === '' || domain === 'ai.onnx' ? version : 0
  }

  #graph(start: number, end: number, depth: number): void {
    if (depth > MAX_DEPTH) throw new ProtobufError('malformed', `graphs nested ${depth} deep`)
    this.#reader.fields(start, end, (number, wireType, from, to) => {
      if (wireType !== DELIMITED) return
      if (number === GRAPH.initializer) this.#tensor(from, to, depth === 0)
      else if (number === GRAPH.node) this.#node(from, to, depth)
      else if (number === GRAPH.input && depth === 0) this.#inputs.push(this.#value(from, to))
      else if (number === GRAPH.output && depth === 0) this.#outputs.push(this.#value(from, to))
    })
  }

  /** Constants and subgraphs may carry tensors, and so external data, of their own. */
  #node(start: number, end: number, depth: number): void {
    this.#reader.fields(start, end, (number, wireType, from, to) => {
      if (number === NODE.operator && wireType === DELIMITED) {
        const operator = this.#reader.text(from, to)
        this.#hasFusedAttention ||= FUSED_ATTENTION.has(operator)
        this.#hasSoftmax ||= operator === 'Softmax'
      } else if (number === NODE.attribute) this.#attribute(from, to, depth)
    })
  }

  #attribute(start: number, end: number, depth: number): void {
    this.#reader.fields(start, end, (number, wireType, from, to) => {
      if (wireType !== DELIMITED) return
      if (number === ATTRIBUTE.tensor || number === ATTRIBUTE.tensors) this.#tensor(from, to, false)
      if (number === ATTRIBUTE.graph || number === ATTRIBUTE.graphs) this.#graph(from, to, depth + 1)
    })
  }

  #tensor(start: number, end: number, isWeight: boolean): void {
    let name = ''
    let external = false
    let type = typeName(0)
    const entries = new Map<string, string>()
    this.#reader.fields(start, end, (number, wireType, from, to) => {
      if (number === TENSOR.name) name = this.#reader.text(from, to)
      else if (number === TENSOR.dataType) type = typeName(this.#valueOf(wireType, from, to))
      else if (number === TENSOR.dataLocation) external = this.#valueOf(wireType, from, to) === 1
      else if (number === TENSOR.externalData) {
        const [key, value] = this.#entry(from, to)
        entries.set(key, value)
      }
    })
    if (isWeight) {
      this.#initializers.add(name)
      this.#weightTypes.add(type)
    }
    if (!external) return
    const length = entries.get('length')
    this.#externalData.push({
      tensor: name,
      location: entries.get('location') ?? '',
      offset: byteCount(entries.get('offset') ?? '0'),
      length: length === undefined ? null : byteCount(length),
    })
  }

  #entry(start: number, end: number): [string, string] {
    let key = ''
    let value = ''
    this.#reader.fields(start, end, (number, _, from, to) => {
      if (number === ENTRY.key) key = this.#reader.text(from, to)
      else if (number === ENTRY.value) value = this.#reader.text(from, to)
    })
    return [key, value]
  }

  #value(start: number, end: number): OnnxValue {
    let name = ''
    let type = typeName(0)
    const dims: (number | string)[] = []
    const shape = (number: number, _: number, from: number, to: number) => {
      if (number === SHAPE.dim) dims.push(this.#dim(from, to))
    }
    const tensorType = (number: number, wireType: number, from: number, to: number) => {
      if (number === TENSOR_TYPE.elemType) type = typeName(this.#valueOf(wireType, from, to))
      else if (number === TENSOR_TYPE.shape) this.#reader.fields(from, to, shape)
    }
    const kind = (number: number, _: number, from: number, to: number) => {
      if (number === TYPE.tensorType) this.#reader.fields(from, to, tensorType)
    }
    this.#reader.fields(start, end, (number, _, from, to) => {
      if (number === VALUE_INFO.name) name = this.#reader.text(from, to)
      else if (number === VALUE_INFO.type) this.#reader.fields(from, to, kind)
    })
    if (dims.length > MAX_RANK) throw new ProtobufError('malformed', `a value of ${dims.length} dimensions`)
    if (this.#inputs.length + this.#outputs.length >= MAX_VALUES) {
      throw new ProtobufError('malformed', `more than ${MAX_VALUES} inputs and outputs`)
    }
    return { name, type, dims }
  }

  /** The first of its parts that says something. */
  #dim(start: number, end: number): number | string {
    let dim: number | string | null = null
    this.#reader.fields(start, end, (number, wireType, from, to) => {
      if (dim !== null) return
      if (number === DIM.value) dim = dimension(wireType === VARINT ? this.#reader.integer(from, to) : 0n)
      else if (number === DIM.param) dim = this.#reader.text(from, to)
    })
    return dim ?? '?'
  }

  /** 0 for what is no integer. */
  #valueOf(wireType: number, start: number, end: number): number {
    return wireType === VARINT ? Number(this.#reader.integer(start, end)) : 0
  }
}
