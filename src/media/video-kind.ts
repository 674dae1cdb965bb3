/** What a video file is by its first bytes, whatever its name says. */

/** Containers that are read, with FFmpeg's name of who reads them; playlists and their kin, which name other files, are not among them. */
export const CONTAINERS = ['mov', 'matroska', 'gif', 'webp'] as const
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
  const boxes = boxesOf(bytes)
  if (boxes === null || boxes[0] !== 'ftyp') return 'is no MP4'
  const [index, frames] = [boxes.indexOf('moov'), boxes.indexOf('mdat')]
  return index < 0 || frames < 0 ? 'is no MP4 with pictures' : null
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
