/**
 * What an .onnx file says about itself, without loading its weights: versions, inputs, outputs, element types and the
 * files that its tensors lie in. Field numbers are those of onnx.proto3.
 */
import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs'
import { byteCount, dimension, typeName } from './onnx-values.ts'
import { ProtobufError, type ProtobufField, ProtobufReader } from './protobuf-reader.ts'

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
    for (const field of this.#reader.fields(0, this.#size)) {
      if (field.number === MODEL.irVersion) irVersion = Number(field.varint)
      else if (field.number === MODEL.opsetImport) opset = Math.max(opset, this.#opset(field))
      else if (field.number === MODEL.graph && field.wireType === 2) {
        graphs++
        this.#graph(field, 0)
      }
    }
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
  #opset(field: ProtobufField): number {
    let domain = ''
    let version = 0
    for (const part of this.#reader.fields(field.start, field.end)) {
      if (part.number === OPSET.domain) domain = this.#reader.text(part)
      else if (part.number === OPSET.version) version = Number(part.varint)
    }
    return domain === '' || domain === 'ai.onnx' ? version : 0
  }

  #graph(field: ProtobufField, depth: number): void {
    if (depth > MAX_DEPTH) throw new ProtobufError('malformed', `graphs nested ${depth} deep`)
    for (const part of this.#reader.fields(field.start, field.end)) {
      if (part.wireType !== 2) continue
      if (part.number === GRAPH.initializer) this.#tensor(part, depth === 0)
      else if (part.number === GRAPH.node) this.#node(part, depth)
      else if (part.number === GRAPH.input && depth === 0) this.#inputs.push(this.#value(part))
      else if (part.number === GRAPH.output && depth === 0) this.#outputs.push(this.#value(part))
    }
  }

  /** Constants and subgraphs may carry tensors, and so external data, of their own. */
  #node(field: ProtobufField, depth: number): void {
    for (const attribute of this.#reader.fields(field.start, field.end)) {
      if (attribute.number === NODE.operator && attribute.wireType === 2) {
        const operator = this.#reader.text(attribute)
        this.#hasFusedAttention ||= FUSED_ATTENTION.has(operator)
        this.#hasSoftmax ||= operator === 'Softmax'
      }
      if (attribute.number !== NODE.attribute) continue
      for (const part of this.#reader.fields(attribute.start, attribute.end)) {
        if (part.wireType !== 2) continue
        if (part.number === ATTRIBUTE.tensor || part.number === ATTRIBUTE.tensors) this.#tensor(part, false)
        if (part.number === ATTRIBUTE.graph || part.number === ATTRIBUTE.graphs) this.#graph(part, depth + 1)
      }
    }
  }

  #tensor(field: ProtobufField, isWeight: boolean): void {
    let name = ''
    let external = false
    let type = typeName(0)
    const entries = new Map<string, string>()
    for (const part of this.#reader.fields(field.start, field.end)) {
      if (part.number === TENSOR.name) name = this.#reader.text(part)
      else if (part.number === TENSOR.dataType) type = typeName(Number(part.varint))
      else if (part.number === TENSOR.dataLocation) external = part.varint === 1n
      else if (part.number === TENSOR.externalData) {
        const [key, value] = this.#entry(part)
        entries.set(key, value)
      }
    }
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

  #entry(field: ProtobufField): [string, string] {
    let key = ''
    let value = ''
    for (const part of this.#reader.fields(field.start, field.end)) {
      if (part.number === ENTRY.key) key = this.#reader.text(part)
      else if (part.number === ENTRY.value) value = this.#reader.text(part)
    }
    return [key, value]
  }

  #value(field: ProtobufField): OnnxValue {
    let name = ''
    let type = typeName(0)
    const dims: (number | string)[] = []
    for (const part of this.#reader.fields(field.start, field.end)) {
      if (part.number === VALUE_INFO.name) name = this.#reader.text(part)
      if (part.number !== VALUE_INFO.type) continue
      for (const kind of this.#reader.fields(part.start, part.end)) {
        if (kind.number !== TYPE.tensorType) continue
        for (const tensor of this.#reader.fields(kind.start, kind.end)) {
          if (tensor.number === TENSOR_TYPE.elemType) type = typeName(Number(tensor.varint))
          if (tensor.number !== TENSOR_TYPE.shape) continue
          for (const dim of this.#reader.fields(tensor.start, tensor.end)) {
            if (dim.number === SHAPE.dim) dims.push(this.#dim(dim))
          }
        }
      }
    }
    if (dims.length > MAX_RANK) throw new ProtobufError('malformed', `a value of ${dims.length} dimensions`)
    if (this.#inputs.length + this.#outputs.length >= MAX_VALUES) {
      throw new ProtobufError('malformed', `more than ${MAX_VALUES} inputs and outputs`)
    }
    return { name, type, dims }
  }

  #dim(field: ProtobufField): number | string {
    for (const part of this.#reader.fields(field.start, field.end)) {
      if (part.number === DIM.value) return dimension(part.varint)
      if (part.number === DIM.param) return this.#reader.text(part)
    }
    return '?'
  }
}
