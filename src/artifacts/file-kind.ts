/** Whether bytes are what a published name says: a PNG, a WebP, or JSON as pregen writes it. */
import { crc32 } from 'node:zlib'
import { messageOf } from '../errors.ts'
import { TIMING_NAME } from './layout.ts'
import { encodeTiming, parseTiming } from './timing.ts'

/** null: it is; else why it is not, to follow the name. */
export function kindFault(name: string, bytes: Uint8Array): string | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (name.endsWith('.png')) return isPng(view) ? null : 'is no PNG'
  if (name.endsWith('.webp')) return isWebp(view) ? null : 'is no WebP'
  if (name === TIMING_NAME) return timingFault(view)
  return 'is no file of a variant'
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const CHUNK_TYPE = /^[A-Za-z]{4}$/

/** Signature, a true IHDR, chunks that follow each other up to IEND, and nothing behind it (PNG 3rd edition, §5). */
function isPng(bytes: Buffer): boolean {
  if (!bytes.subarray(0, 8).equals(SIGNATURE) || bytes.length < 33) return false
  if (bytes.readUInt32BE(8) !== 13 || bytes.toString('latin1', 12, 16) !== 'IHDR') return false
  if (crc32(bytes.subarray(12, 29)) !== bytes.readUInt32BE(29)) return false
  for (let at = 33; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    const type = bytes.toString('latin1', at + 4, at + 8)
    if (!CHUNK_TYPE.test(type)) return false
    at += 12 + length
    if (type === 'IEND') return length === 0 && at === bytes.length
  }
  return false
}

/** `RIFF`, the length of all that follows, `WEBP` (RFC 9649, §2.4). */
function isWebp(bytes: Buffer): boolean {
  if (bytes.length < 20) return false
  return (
    bytes.toString('latin1', 0, 4) === 'RIFF' &&
    bytes.toString('latin1', 8, 12) === 'WEBP' &&
    bytes.readUInt32LE(4) === bytes.length - 8
  )
}

/** Times and nothing else. */
function timingFault(bytes: Buffer): string | null {
  try {
    const text = bytes.toString('utf8')
    const own = Buffer.from(encodeTiming(parseTiming(text, TIMING_NAME))).toString('utf8')
    return JSON.stringify(JSON.parse(text)) === own ? null : `is no ${TIMING_NAME} of pregen`
  } catch (error) {
    return `cannot be read: ${messageOf(error)}`
  }
}
