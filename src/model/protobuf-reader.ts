/**
 * Protocol buffer fields straight from a file: lengths are followed, contents that nobody asks for are skipped without
 * being read, so a file of gigabytes costs a few kilobytes.
 */
import type { FileHandle } from 'node:fs/promises'

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
const WINDOW_BYTES = 65_536

export class ProtobufReader {
  readonly #file: FileHandle
  readonly #size: number
  #window: Buffer = Buffer.alloc(0)
  #windowStart = 0

  constructor(file: FileHandle, size: number) {
    this.#file = file
    this.#size = size
  }

  /** The fields of the message between two offsets, in file order. */
  async *fields(start: number, end: number): AsyncGenerator<ProtobufField> {
    let offset = start
    while (offset < end) {
      const key = this.#small(offset, end) ?? (await this.#large(offset, end))
      const number = Math.floor(key.value / 8)
      const wireType = key.value % 8
      if (number === 0) throw new ProtobufError('malformed', `field number 0 at byte ${offset}`)
      // Nothing is waited for where the window holds it: a model has tens of thousands of fields.
      const length = wireType === 2 ? this.#small(key.next, end) : null
      const field =
        length === null
          ? await this.#field(number, wireType, key.next, end)
          : this.#delimited(number, length.next, length.next + length.value, end)
      yield field
      offset = field.end
    }
  }

  async #field(number: number, wireType: number, at: number, limit: number): Promise<ProtobufField> {
    switch (wireType) {
      case 0: {
        const { value, next } = await this.#varint(at, limit)
        return { number, wireType, varint: value, start: at, end: next }
      }
      case 1:
      case 5: {
        const end = at + (wireType === 1 ? 8 : 4)
        this.#requireInside(end, limit)
        return { number, wireType, varint: 0n, start: at, end }
      }
      case 2: {
        const { value, next } = await this.#large(at, limit)
        return this.#delimited(number, next, next + value, limit)
      }
      default:
        throw new ProtobufError('malformed', `wire type ${wireType} at byte ${at}`)
    }
  }

  #delimited(number: number, start: number, end: number, limit: number): ProtobufField {
    this.#requireInside(end, limit)
    return { number, wireType: 2, varint: 0n, start, end }
  }

  #requireInside(end: number, limit: number): void {
    if (end <= limit) return
    if (end > this.#size) {
      throw new ProtobufError('truncated', `its contents go on to byte ${end} and the file has ${this.#size}`)
    }
    throw new ProtobufError('malformed', `a field runs over its message at byte ${limit}`)
  }

  async text({ start, end }: ProtobufField): Promise<string> {
    if (end - start > MAX_TEXT_BYTES) throw new ProtobufError('malformed', `a text of ${end - start} bytes`)
    return (await this.#bytes(start, end)).toString('utf8')
  }

  /** Varints of a packed field, or the one of an unpacked field. */
  async varints(field: ProtobufField): Promise<bigint[]> {
    if (field.wireType === 0) return [field.varint]
    const values: bigint[] = []
    let offset = field.start
    while (offset < field.end) {
      const { value, next } = await this.#varint(offset, field.end)
      values.push(value)
      offset = next
    }
    return values
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

  async #large(at: number, limit: number): Promise<{ value: number; next: number }> {
    const { value, next } = await this.#varint(at, limit)
    return { value: Number(value), next }
  }

  async #varint(at: number, limit: number): Promise<{ value: bigint; next: number }> {
    const bytes = await this.#bytes(at, Math.min(at + 10, limit))
    let value = 0n
    for (let i = 0; i < bytes.length; i++) {
      value |= BigInt(bytes[i]! & 0x7f) << BigInt(7 * i)
      if (bytes[i]! < 0x80) return { value, next: at + i + 1 }
    }
    throw bytes.length < 10 && limit === this.#size
      ? new ProtobufError('truncated', `it breaks off inside a number at byte ${at}`)
      : new ProtobufError('malformed', `no number at byte ${at}`)
  }

  async #bytes(start: number, end: number): Promise<Buffer> {
    if (start < this.#windowStart || end > this.#windowStart + this.#window.length) {
      const wanted = Math.min(Math.max(end - start, WINDOW_BYTES), this.#size - start)
      const window = Buffer.alloc(wanted)
      const { bytesRead } = await this.#file.read(window, 0, wanted, start)
      if (bytesRead < end - start)
        throw new ProtobufError('truncated', `it ends at byte ${start + bytesRead}`)
      this.#window = window.subarray(0, bytesRead)
      this.#windowStart = start
    }
    return this.#window.subarray(start - this.#windowStart, end - this.#windowStart)
  }
}
