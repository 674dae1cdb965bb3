/** What a file is, by its first bytes: names and content types lie. */

import { PregenError } from '../errors.ts'
import { markupKind } from './markup-kind.ts'

/** What Pillow reads and sharp's libraries do, too. */
export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'avif' | 'gif' | 'tiff'

const pngSignature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
const jpegSignature = Buffer.from([0xff, 0xd8, 0xff])

/** What else people hand over beside markup, and how it begins. */
const otherKinds: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['a Git LFS pointer, not the file itself', /^version https:\/\/git-lfs/],
  ['JSON', /^\s*\{\s*"/],
  ['a PDF', /^%PDF-/],
  ['a HEIC picture', /^[\s\S]{4}ftyp(he[iv][cfmsx]|mif1|msf1)/],
  ['a BMP', /^BM[\s\S]{4}\0{4}/],
  ['a video', /^(?:[\s\S]{4}(?:ftyp(?:isom|iso\d|mp4\d|avc1|M4V |qt {2})|moov|mdat|wide)|[\s\S]E\xdf\xa3)/],
]

/**
 * @param shown the source as it may be shown
 * @throws PregenError `E_IMAGE_FORMAT` for anything but the formats above, `E_IMAGE_ANIMATED`
 */
export function sniffImageFormat(bytes: Buffer, shown: string): ImageFormat {
  const format = formatOf(bytes)
  if (format === null) {
    const head = bytes.toString('latin1', 0, 1024).replace(/^\xef\xbb\xbf/, '')
    const kind =
      bytes.length === 0
        ? 'empty'
        : (markupKind(head) ?? otherKinds.find(([, pattern]) => pattern.test(head))?.[0] ?? null)
    throw new PregenError(
      'E_IMAGE_FORMAT',
      kind === null ? `"${shown}" is not a picture in a known format.` : `"${shown}" is ${kind}.`,
      {
        help: kind?.startsWith('a Git LFS')
          ? 'Run "git lfs pull" where it lies.'
          : kind === 'a video'
            ? 'Save the frame that is meant as PNG. A video to draw from is given as "video", to models that take one.'
            : 'An image must be a PNG, JPEG, WebP, AVIF, GIF or TIFF file, whatever it is named; save others as PNG.',
      },
    )
  }
  if (isAnimated(bytes, format)) {
    throw new PregenError('E_IMAGE_ANIMATED', `"${shown}" is an animation.`, {
      help: 'Save the frame that is meant as a PNG of its own.',
    })
  }
  return format
}

function formatOf(bytes: Buffer): ImageFormat | null {
  if (bytes.subarray(0, 8).equals(pngSignature)) return 'png'
  if (bytes.subarray(0, 3).equals(jpegSignature)) return 'jpeg'
  const head = bytes.toString('latin1', 0, 12)
  if (/^RIFF[\s\S]{4}WEBP/.test(head)) return 'webp'
  if (/^GIF8[79]a/.test(head)) return 'gif'
  // Classic and big, of either byte order.
  if (/^(?:II[*+]\0|MM\0[*+])/.test(head)) return 'tiff'
  return brandsOf(bytes).some((brand) => brand === 'avif' || brand === 'avis') ? 'avif' : null
}

/** What a file of the HEIF family says that it is: its first box's major brand, then those that it is compatible with. */
function brandsOf(bytes: Buffer): string[] {
  if (bytes.length < 16 || bytes.toString('latin1', 4, 8) !== 'ftyp') return []
  const end = Math.min(bytes.readUInt32BE(0), bytes.length, MAX_BRANDS_BYTES)
  const brands = [bytes.toString('latin1', 8, 12)]
  for (let at = 16; at + 4 <= end; at += 4) brands.push(bytes.toString('latin1', at, at + 4))
  return brands
}

const MAX_BRANDS_BYTES = 256

/**
 * WebP: the flag of its VP8X chunk. PNG: an `acTL` chunk before the first `IDAT`. AVIF: its major brand. Of a GIF the first
 * frame is taken, of a TIFF the first page, as Pillow does.
 */
function isAnimated(bytes: Buffer, format: ImageFormat): boolean {
  if (format === 'webp') return bytes.toString('latin1', 12, 16) === 'VP8X' && ((bytes[20] ?? 0) & 2) !== 0
  if (format === 'avif') return brandsOf(bytes)[0] === 'avis'
  if (format !== 'png') return false
  for (let at = pngSignature.length; at + 8 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const type = bytes.toString('latin1', at + 4, at + 8)
    if (type === 'IDAT') return false
    if (type === 'acTL') return true
  }
  return false
}
