/** Whether bytes are what a published name says: a final file of its kind, a PNG, a WebP, or JSON as pregen writes it. */
import { messageOf } from '../errors.ts'
import { frameOfName, outputKindOfFile, stepOfName, THUMBNAIL_NAME, TIMING_NAME } from './layout.ts'
import { isPng } from './png.ts'
import { encodeTiming, parseTiming } from './timing.ts'

/** null: it is; else why it is not, to follow the name. */
export function kindFault(name: string, bytes: Uint8Array): string | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const kind = outputKindOfFile(name)
  if (kind) return kind.fault(view)
  if (stepOfName(name) !== null || frameOfName(name) !== null) return isPng(view) ? null : 'is no PNG'
  if (name === THUMBNAIL_NAME) return isWebp(view) ? null : 'is no WebP'
  if (name === TIMING_NAME) return timingFault(view)
  return 'is no file of a variant'
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
