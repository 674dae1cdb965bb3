/** What a video file is by its first bytes, whatever its name says. */

/** Containers that are read, with FFmpeg's name of who reads them; playlists and their kin, which name other files, are not among them. */
const CONTAINERS = ['mov', 'matroska', 'gif', 'webp'] as const
export type Container = (typeof CONTAINERS)[number]

/** Enough to tell. */
export const KIND_BYTES = 64

const EBML = Buffer.from([0x1a, 0x45, 0xdf, 0xa3])
/** Boxes that a QuickTime or MP4 file begins with (ISO/IEC 14496-12, §4.3; QuickTime File Format, 2001). */
const FIRST_BOXES = new Set(['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip'])

/** null: none of those. @param head the first bytes, `KIND_BYTES` where there are so many */
export function containerOf(head: Buffer): Container | null {
  if (FIRST_BOXES.has(head.toString('latin1', 4, 8))) return 'mov'
  if (head.subarray(0, 4).equals(EBML)) return 'matroska'
  if (/^GIF8[79]a/.test(head.toString('latin1', 0, 6))) return 'gif'
  if (head.toString('latin1', 0, 4) === 'RIFF' && head.toString('latin1', 8, 12) === 'WEBP') return 'webp'
  return null
}

/** Why bytes are no MP4 as it is written here (its index ahead of its frames), to follow the file's name; null: they are. */
export function mp4Fault(bytes: Buffer): string | null {
  return boxFault(bytes, 'MP4')
}

/** Likewise of a QuickTime file, which says so by its brand. */
export function quickTimeFault(bytes: Buffer): string | null {
  const fault = boxFault(bytes, 'QuickTime file')
  return fault ?? (bytes.toString('latin1', 8, 12) === 'qt  ' ? null : 'is no QuickTime file')
}

function boxFault(bytes: Buffer, what: string): string | null {
  const boxes = boxesOf(bytes)
  if (boxes === null || boxes[0] !== 'ftyp') return `is no ${what}`
  const [index, frames] = [boxes.indexOf('moov'), boxes.indexOf('mdat')]
  return index < 0 || frames < 0 ? `is no ${what} with pictures` : null
}

/** Names of the boxes at the top, or null where they do not fill the file. */
function boxesOf(bytes: Buffer): string[] | null {
  const names: string[] = []
  let at = 0
  while (at + 8 <= bytes.length) {
    const size = bytes.readUInt32BE(at)
    names.push(bytes.toString('latin1', at + 4, at + 8))
    const whole = size === 1 && at + 16 <= bytes.length ? Number(bytes.readBigUInt64BE(at + 8)) : size
    if (whole < 8) return null
    at += whole
  }
  return at === bytes.length ? names : null
}

/** `RIFF`, the length of all that follows, `WEBP` (RFC 9649, §2.4). */
export function webpFault(bytes: Buffer): string | null {
  const isWebp =
    bytes.length >= 20 &&
    bytes.toString('latin1', 0, 4) === 'RIFF' &&
    bytes.toString('latin1', 8, 12) === 'WEBP' &&
    bytes.readUInt32LE(4) === bytes.length - 8
  return isWebp ? null : 'is no WebP'
}

const SEGMENT = Buffer.from([0x18, 0x53, 0x80, 0x67])

/** A header that says "webm", and one segment whose length is known and fills the rest (RFC 8794, §4 and §11; RFC 9559). */
export function webmFault(bytes: Buffer): string | null {
  const header = bytes.subarray(0, 4).equals(EBML) ? elementAt(bytes, 4) : null
  if (header === null || !bytes.subarray(header.start, header.end).includes('webm')) return 'is no WebM'
  const isSegment = bytes.subarray(header.end, header.end + 4).equals(SEGMENT)
  const segment = isSegment ? elementAt(bytes, header.end + 4) : null
  return segment?.end === bytes.length ? null : 'is no WebM with pictures'
}

/** What an element holds. @param at where its length stands: as many bytes as the first has leading zero bits, and one */
function elementAt(bytes: Buffer, at: number): { readonly start: number; readonly end: number } | null {
  const width = Math.clz32(bytes[at] ?? 0) - 23
  const start = at + width
  if (width > 8 || start > bytes.length) return null
  // The bit that tells the width is none of the number.
  const size = BigInt(`0x${bytes.toString('hex', at, start)}`) - (1n << BigInt(7 * width))
  return { start, end: start + Number(size) }
}
