/**
 * A model whose weights stay in its file. ONNX Runtime maps weights that lie beside a model and lets go of each as soon
 * as it has laid it out anew; weights inside the model it copies to the heap, of which glibc gives nothing back: a UNet
 * of 185 MiB then takes 370. So the model is handed over without its large weights, which it is told to find in the
 * very file that they lie in.
 */
import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { DELIMITED, ProtobufReader, VARINT } from './protobuf-reader.ts'

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

/** Bytes of the file from start to end. */
interface Span {
  readonly start: number
  readonly end: number
}

/** Bytes of the file, or new ones. */
type Piece = Span | Uint8Array

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
  let liesElsewhere = false
  let at = 0
  reader.fields(0, size, (number, wireType, start, end) => {
    if (number === GRAPH_OF_MODEL && wireType === DELIMITED) {
      const graph: Piece[] = []
      let inside = start
      reader.fields(start, end, (part, type, from, to) => {
        const isWeight = part === INITIALIZER_OF_GRAPH && type === DELIMITED
        const tensor = isWeight ? weight(reader, { start: from, end: to }, location) : null
        liesElsewhere ||= tensor === 'elsewhere'
        if (tensor !== null) references++
        if (tensor === null || tensor === 'elsewhere') graph.push({ start: inside, end: to })
        else graph.push(...tensor)
        inside = to
      })
      pieces.push(...message(GRAPH_OF_MODEL, graph))
    } else {
      pieces.push({ start: at, end })
    }
    at = end
  })
  return references === 0 || liesElsewhere ? null : pieces
}

/** A large weight as a reference to its bytes; null for a small one. */
function weight(
  reader: ProtobufReader,
  { start, end }: Span,
  location: string,
): Piece[] | 'elsewhere' | null {
  const kept: Piece[] = []
  const data: Span[] = []
  let isElsewhere = false
  let at = start
  reader.fields(start, end, (number, wireType, from, to) => {
    if (number === TENSOR.dataLocation && wireType === VARINT) isElsewhere ||= reader.integer(from, to) === 1n
    if (number === TENSOR.rawData) data.push({ start: from, end: to })
    else kept.push({ start: at, end: to })
    at = to
  })
  if (isElsewhere) return 'elsewhere'
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
