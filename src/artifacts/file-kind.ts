/** Whether bytes are what a published name says: a final file of its kind, a PNG, a WebP, or JSON as pregen writes it. */
import { messageOf } from '../errors.ts'
import { webpFault } from '../media/video-kind.ts'
import {
  frameOfName,
  outputKindOfFile,
  stepOfAnimationName,
  stepOfName,
  THUMBNAIL_NAME,
  TIMING_NAME,
} from './file-names.ts'
import { isPng } from './png.ts'
import { encodeTiming, parseTiming } from './timing.ts'

/** null: it is; else why it is not, to follow the name. */
export function kindFault(name: string, bytes: Uint8Array): string | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const kind = outputKindOfFile(name)
  if (kind) return kind.fault(view)
  if (stepOfName(name) !== null || frameOfName(name) !== null) return isPng(view) ? null : 'is no PNG'
  if (name === THUMBNAIL_NAME || stepOfAnimationName(name) !== null) return webpFault(view)
  if (name === TIMING_NAME) return timingFault(view)
  return 'is no file of a variant'
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
