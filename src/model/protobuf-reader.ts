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

export interface ProtobufField {
  readonly number: number
  readonly wireType: number
  /** The value of a varint; 0 otherwise. */
  readonly varint: bigint
  /** Where a length-delimited field's contents begin and end in the file. */
  readonly start: number
  readonly end: number
}

/** Texts longer than this are no names or paths. */
const MAX_TEXT_BYTES = 65_536
/** What a file may make its reader do: the largest published models have a tenth of it. */
const MAX_FIELDS = 2_000_000
const MAX_ALL_TEXT_BYTES = 64 * 2 ** 20
const WINDOW_BYTES = MAX_TEXT_BYTES

export class ProtobufReader {
  readonly #file: number
  readonly #size: number
  /** One for all reads: a model's weights, each skipped, would ask for thousands. */
  readonly #buffer = Buffer.alloc(WINDOW_BYTES)
  /** What of the file the buffer holds. */
  #window = this.#buffer.subarray(0, 0)
  #windowStart = 0
  #fieldsLeft = MAX_FIELDS
  #textBytesLeft = MAX_ALL_TEXT_BYTES

  /** @param file an open file's descriptor, which stays its opener's */
  constructor(file: number, size: number) {
    this.#file = file
    this.#size = size
  }

  /** The fields of the message between two offsets, in file order. */
  *fields(start: number, end: number): Generator<ProtobufField, void> {
    let offset = start
    while (offset < end) {
      if (this.#fieldsLeft-- === 0) {
        throw new ProtobufError('malformed', `it has more than ${MAX_FIELDS} parts, more than any model`)
      }
      const key = this.#number(offset, end)
      const number = Math.floor(key.value / 8)
      if (number === 0) throw new ProtobufError('malformed', `field number 0 at byte ${offset}`)
      const field = this.#field(number, key.value % 8, key.next, end)
      yield field
      offset = field.end
    }
  }

  #field(number: number, wireType: number, at: number, limit: number): ProtobufField {
    switch (wireType) {
      case 0: {
        const { value, next } = this.#varint(at, limit)
        return { number, wireType, varint: value, start: at, end: next }
      }
      case 1:
      case 5: {
        const end = at + (wireType === 1 ? 8 : 4)
        this.#requireInside(end, limit)
        return { number, wireType, varint: 0n, start: at, end }
      }
      case 2: {
        const { value, next } = this.#number(at, limit)
        this.#requireInside(next + value, limit)
        return { number, wireType, varint: 0n, start: next, end: next + value }
      }
      default:
        throw new ProtobufError('malformed', `wire type ${wireType} at byte ${at}`)
    }
  }

  #requireInside(end: number, limit: number): void {
    if (end <= limit) return
    if (end > this.#size) {
      throw new ProtobufError('truncated', `its contents go on to byte ${end} and the file has ${this.#size}`)
    }
    throw new ProtobufError('malformed', `a field runs over its message at byte ${limit}`)
  }

  text({ start, end }: ProtobufField): string {
    this.#textBytesLeft -= end - start
    if (this.#textBytesLeft < 0) throw new ProtobufError('malformed', 'its names alone fill 64 MiB')
    if (end - start > MAX_TEXT_BYTES) throw new ProtobufError('malformed', `a text of ${end - start} bytes`)
    return this.#bytes(start, end).toString('utf8')
  }

  /** A length or a key. */
  #number(at: number, limit: number): { value: number; next: number } {
    const small = this.#small(at, limit)
    if (small !== null) return small
    const { value, next } = this.#varint(at, limit)
    return { value: Number(value), next }
  }

  /** A number of up to four bytes that lies in the window; null: it is longer, or has to be read. */
  #small(at: number, limit: number): { value: number; next: number } | null {
    const from = at - this.#windowStart
    if (from < 0) return null
    const to = Math.min(from + 4, limit - this.#windowStart, this.#window.length)
    let value = 0
    for (let i = from; i < to; i++) {
      const byte = this.#window[i]!
      value |= (byte & 0x7f) << (7 * (i - from))
      if (byte < 0x80) return { value, next: this.#windowStart + i + 1 }
    }
    return null
  }

  #varint(at: number, limit: number): { value: bigint; next: number } {
    const bytes = this.#bytes(at, Math.min(at + 10, limit))
    let value = 0n
    for (let i = 0; i < bytes.length; i++) {
      value |= BigInt(bytes[i]! & 0x7f) << BigInt(7 * i)
      if (bytes[i]! < 0x80) return { value, next: at + i + 1 }
    }
    throw bytes.length < 10 && limit === this.#size
      ? new ProtobufError('truncated', `it breaks off inside a number at byte ${at}`)
      : new ProtobufError('malformed', `no number at byte ${at}`)
  }

  /** Valid until the next call. No more than `WINDOW_BYTES`. */
  #bytes(start: number, end: number): Buffer {
    if (start < this.#windowStart || end > this.#windowStart + this.#window.length) {
      const wanted = Math.min(WINDOW_BYTES, this.#size - start)
      const bytesRead = readSync(this.#file, this.#buffer, 0, wanted, start)
      this.#window = this.#buffer.subarray(0, bytesRead)
      this.#windowStart = start
      if (bytesRead < end - start)
        throw new ProtobufError('truncated', `it ends at byte ${start + bytesRead}`)
    }
    return this.#window.subarray(start - this.#windowStart, end - this.#windowStart)
  }
}
