/**
 * Protocol buffer fields straight from a file: lengths are followed, contents that nobody asks for are skipped without
 * being read, so a file of gigabytes costs a few kilobytes. Reading is synchronous: a model has tens of thousands of
 * fields, and to wait for each costs more than to read it.
 */
import { readSync } from 'node:fs'

/** The file ends before its own lengths say, or holds no protocol buffer at all. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
  /** `truncated`: a length points past the end of the file. `malformed`: no protocol buffer. */
  readonly kind: 'truncated' | 'malformed'

  constructor(kind: 'truncated' | 'malformed', message: string) {
    super(message)
    this.kind = kind
  }
}

/** The wire type of what has a length: texts, messages, bytes. */
export const DELIMITED = 2
/** The wire type of a number of any length. */
export const VARINT = 0

/**
 * What a field is told as. No objects: a model has tens of thousands of fields, and a plan reads them all.
 * @param start where the contents begin in the file, of a length-delimited field those alone
 */
export type FieldVisitor = (number: number, wireType: number, start: number, end: number) => void

/** Texts longer than this are no names or paths. */
const MAX_TEXT_BYTES = 65_536
/** What a file may make its reader do: the largest published models have a tenth of it. */
const MAX_FIELDS = 2_000_000
const MAX_ALL_TEXT_BYTES = 64 * 2 ** 20
const WINDOW_BYTES = MAX_TEXT_BYTES
/** What is read behind a jump: weights are skipped, and between two of them lies a name. */
const JUMP_BYTES = 4096
/** Seven bits each: what bit operations of 32 hold. */
const SMALL_NUMBER_BYTES = 4

export class ProtobufReader {
  readonly #file: number
  readonly #size: number
  /** One for all reads: a model's weights, each skipped, would ask for thousands. */
  readonly #buffer = Buffer.alloc(WINDOW_BYTES)
  /** What of the file the buffer holds. */
  #windowStart = 0
  #windowEnd = 0
  /** Where the number ends that was read last. */
  #next = 0
  #fieldsLeft = MAX_FIELDS
  #textBytesLeft = MAX_ALL_TEXT_BYTES

  /** @param file an open file's descriptor, which stays its opener's */
  constructor(file: number, size: number) {
    this.#file = file
    this.#size = size
  }

  /** Visits the fields of the message between two offsets, in file order. A visitor may visit what is in its field. */
  fields(start: number, end: number, visit: FieldVisitor): void {
    let at = start
    while (at < end) {
      if (this.#fieldsLeft-- === 0) {
        throw new ProtobufError('malformed', `it has more than ${MAX_FIELDS} parts, more than any model`)
      }
      const key = this.#number(at, end)
      const number = Math.floor(key / 8)
      if (number === 0) throw new ProtobufError('malformed', `field number 0 at byte ${at}`)
      const wireType = key % 8
      let from = this.#next
      let to: number
      if (wireType === DELIMITED) {
        const length = this.#number(from, end)
        from = this.#next
        to = from + length
      } else if (wireType === VARINT) {
        this.#number(from, end)
        to = this.#next
      } else if (wireType === 1 || wireType === 5) {
        to = from + (wireType === 1 ? 8 : 4)
      } else {
        throw new ProtobufError('malformed', `wire type ${wireType} at byte ${from}`)
      }
      this.#requireInside(to, end)
      visit(number, wireType, from, to)
      at = to
    }
  }

  #requireInside(end: number, limit: number): void {
    if (end <= limit) return
    if (end > this.#size) {
      throw new ProtobufError('truncated', `its contents go on to byte ${end} and the file has ${this.#size}`)
    }
    throw new ProtobufError('malformed', `a field runs over its message at byte ${limit}`)
  }

  text(start: number, end: number): string {
    this.#textBytesLeft -= end - start
    if (this.#textBytesLeft < 0) throw new ProtobufError('malformed', 'its names alone fill 64 MiB')
    if (end - start > MAX_TEXT_BYTES) throw new ProtobufError('malformed', `a text of ${end - start} bytes`)
    this.#show(start, end)
    return this.#buffer.toString('utf8', start - this.#windowStart, end - this.#windowStart)
  }

  /** The value of a field that is a number of any length (wire type 0). */
  integer(start: number, end: number): bigint {
    return this.#varint(start, end)
  }

  /** A length, a key or a small value. */
  #number(at: number, limit: number): number {
    // Most take a byte or two, which are there already.
    const end = at < this.#windowStart ? at : Math.min(at + SMALL_NUMBER_BYTES, limit, this.#windowEnd)
    let value = 0
    for (let place = at; place < end; place++) {
      const byte = this.#buffer[place - this.#windowStart]!
      value |= (byte & 0x7f) << (7 * (place - at))
      if (byte >= 0x80) continue
      this.#next = place + 1
      return value
    }
    return Number(this.#varint(at, limit))
  }

  #varint(at: number, limit: number): bigint {
    const end = Math.min(at + 10, limit)
    this.#show(at, end)
    let value = 0n
    // Bit operations are those of 32 bits: seven by seven into a number while they fit.
    let low = 0
    for (let i = 0; at + i < end; i++) {
      const byte = this.#buffer[at + i - this.#windowStart]!
      if (i < 4) low |= (byte & 0x7f) << (7 * i)
      else value |= BigInt(byte & 0x7f) << BigInt(7 * i)
      if (byte >= 0x80) continue
      this.#next = at + i + 1
      return value | BigInt(low)
    }
    throw end - at < 10 && limit === this.#size
      ? new ProtobufError('truncated', `it breaks off inside a number at byte ${at}`)
      : new ProtobufError('malformed', `no number at byte ${at}`)
  }

  /** Brings bytes into the buffer, no more than `WINDOW_BYTES`. */
  #show(start: number, end: number): void {
    if (start >= this.#windowStart && end <= this.#windowEnd) return
    const usual = start > this.#windowEnd ? JUMP_BYTES : WINDOW_BYTES
    const wanted = Math.min(Math.max(usual, end - start), this.#size - start)
    const bytesRead = readSync(this.#file, this.#buffer, 0, wanted, start)
    this.#windowStart = start
    this.#windowEnd = start + bytesRead
    if (this.#windowEnd < end) throw new ProtobufError('truncated', `it ends at byte ${this.#windowEnd}`)
  }
}
