/** Bodies of answers, of which a store may send any number of bytes: read to a limit, and no further. */
import type { Readable } from 'node:stream'
import { PregenError } from '../errors.ts'

/** Of an error, or of one page of a listing. */
export const MAX_ANSWER_BYTES = 1024 * 1024
/** Of an object that is read back, where whoever asks for it says nothing else: a manifest of 100,000 units. */
export const MAX_OBJECT_BYTES = 128 * 1024 * 1024

export interface AnswerLimits {
  readonly maxBytes: number
  /** Names it in the message. */
  readonly what: string
  /** Ends the reading. */
  readonly signal?: AbortSignal | undefined
  /** Called with every 64 KiB: a line may be thin, but not a trickle. */
  readonly noteSign?: (() => void) | undefined
}

const HEARD_BYTES = 64 * 1024

/**
 * Reads a body whole; whatever becomes of it, its stream is destroyed.
 *
 * @throws PregenError `E_ANSWER_TOO_LARGE`
 */
export async function readAnswer(body: Readable, limits: AnswerLimits): Promise<Uint8Array> {
  const { maxBytes, what, signal, noteSign } = limits
  const onAbort = () => body.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
  // An answer that was given up may still break off: there is nobody to tell.
  body.on('error', () => undefined)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    signal?.throwIfAborted()
    const parts: Uint8Array[] = []
    let total = 0
    for await (const part of body as AsyncIterable<Uint8Array>) {
      const before = total
      total += part.byteLength
      if (Math.floor(total / HEARD_BYTES) > Math.floor(before / HEARD_BYTES)) noteSign?.()
      if (total > maxBytes) throw answerTooLarge(what, maxBytes)
      parts.push(part)
    }
    const { buffer, byteOffset } = Buffer.concat(parts, total)
    return new Uint8Array(buffer, byteOffset, total)
  } finally {
    signal?.removeEventListener('abort', onAbort)
    body.destroy()
  }
}

export function answerTooLarge(what: string, maxBytes: number): PregenError {
  return new PregenError('E_ANSWER_TOO_LARGE', `${what} has more than ${maxBytes} bytes`, {
    help: 'What answers is no S3 store, or the bucket holds what pregen did not put there: look at it with another tool.',
  })
}
