/**
 * A model whose weights stay in its file. ONNX Runtime maps weights that lie beside a model and lets go of each as soon
 * as it has laid it out anew; weights inside the model it copies to the heap, of which glibc gives nothing back: a UNet
 * of 185 MiB then takes 370. So the model is handed over without its large weights, which it is told to find in the
 * very file that they lie in.
 */
import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { type ProtobufField, ProtobufReader } from './protobuf-reader.ts'

export interface MappedModel {
  /** The model's bytes, with references in place of large weights. */
  readonly model: Uint8Array
  /** Where ONNX Runtime looks the references up. */
  readonly folder: string
}

/** Smaller ones are no gain: glibc serves from its heap, and reuses, what is below this size. */
const LARGE_BYTES = 131_072

// Field numbers of onnx.proto3.
const GRAPH_OF_MODEL = 7
const INITIALIZER_OF_GRAPH = 5
const TENSOR = { rawData: 9, externalData: 13, dataLocation: 14 } as const
const ENTRY = { key: 1, value: 2 } as const
const DELIMITED = 2

/** Bytes of the file from start to end, or new ones. */
type Piece = { readonly start: number; readonly end: number } | Uint8Array

/**
 * @returns null for a model without large weights of its own
 * @throws ProtobufError for a file that is cut off or is no ONNX model; the file system's own errors
 */
export function mapWeights(path: string): MappedModel | null {
  // ONNX Runtime takes no weights from links that lead out of the folder.
  const place = realpathSync(path)
  const file = openSync(place, 'r')
  try {
    const { size } = fstatSync(file)
    if (size < LARGE_BYTES) return null
    const pieces = modelPieces(new ProtobufReader(file, size), size, basename(place))
    if (pieces === null) return null
    return { model: assemble(file, pieces), folder: dirname(place) }
  } finally {
    closeSync(file)
  }
}

/** null where nothing is left out, or where the model has data files of its own, which lie in another folder perhaps. */
function modelPieces(reader: ProtobufReader, size: number, location: string): Piece[] | null {
  const pieces: Piece[] = []
  let references = 0
  let at = 0
  for (const field of reader.fields(0, size)) {
    if (field.number === GRAPH_OF_MODEL && field.wireType === DELIMITED) {
      const graph: Piece[] = []
      let inside = field.start
      for (const part of reader.fields(field.start, field.end)) {
        const tensor = weight(reader, part, location)
        if (tensor === 'elsewhere') return null
        if (tensor !== null) references++
        graph.push(...(tensor ?? [{ start: inside, end: part.end }]))
        inside = part.end
      }
      pieces.push(...message(GRAPH_OF_MODEL, graph))
    } else {
      pieces.push({ start: at, end: field.end })
    }
    at = field.end
  }
  return references === 0 ? null : pieces
}

/** A large weight as a reference to its bytes; null for any other part of the graph. */
function weight(
  reader: ProtobufReader,
  field: ProtobufField,
  location: string,
): Piece[] | 'elsewhere' | null {
  if (field.number !== INITIALIZER_OF_GRAPH || field.wireType !== DELIMITED) return null
  const kept: Piece[] = []
  const data: ProtobufField[] = []
  let at = field.start
  for (const part of reader.fields(field.start, field.end)) {
    if (part.number === TENSOR.dataLocation && part.varint === 1n) return 'elsewhere'
    if (part.number === TENSOR.rawData) data.push(part)
    else kept.push({ start: at, end: part.end })
    at = part.end
  }
  const [raw] = data
  if (raw === undefined || data.length > 1 || raw.end - raw.start < LARGE_BYTES) return null
  const entries = Object.entries({ location, offset: String(raw.start), length: String(raw.end - raw.start) })
  const reference = entries.flatMap(([key, value]) =>
    message(TENSOR.externalData, [
      ...message(ENTRY.key, [Buffer.from(key)]),
      ...message(ENTRY.value, [Buffer.from(value)]),
    ]),
  )
  const isExternal = Uint8Array.of(TENSOR.dataLocation << 3, 1)
  return message(INITIALIZER_OF_GRAPH, [...kept, ...reference, isExternal])
}

function sizeOf(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.length : piece.end - piece.start
}

/** A length-delimited field. */
function message(number: number, contents: readonly Piece[]): Piece[] {
  const length = contents.reduce((sum, piece) => sum + sizeOf(piece), 0)
  return [Uint8Array.from([...varint((number << 3) | DELIMITED), ...varint(length)]), ...contents]
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return [...bytes, rest]
}

function assemble(file: number, pieces: readonly Piece[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + sizeOf(piece), 0))
  let to = 0
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i]!
    if (piece instanceof Uint8Array) {
      out.set(piece, to)
      to += piece.length
      continue
    }
    // Neighbours in the file are read at once.
    let { end } = piece
    for (
      let next = pieces[i + 1];
      next !== undefined && !(next instanceof Uint8Array);
      next = pieces[i + 1]
    ) {
      if (next.start !== end) break
      end = next.end
      i++
    }
    const bytesRead = readSync(file, out, to, end - piece.start, piece.start)
    if (bytesRead < end - piece.start) throw new Error(`the file ends at byte ${piece.start + bytesRead}`)
    to += bytesRead
  }
  return out
}
