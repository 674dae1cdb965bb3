/** What a file is, by its first bytes: names and content types lie. */

import { PregenError } from '../errors.ts'
import { markupKind } from './markup-kind.ts'

export type ImageFormat = 'png' | 'jpeg' | 'webp'

const pngSignature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
const jpegSignature = Buffer.from([0xff, 0xd8, 0xff])

/** What else people hand over beside markup, and how it begins. */
const otherKinds: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['a Git LFS pointer, not the file itself', /^version https:\/\/git-lfs/],
  ['JSON', /^\s*\{\s*"/],
  ['a PDF', /^%PDF-/],
  ['a GIF', /^GIF8[79]a/],
  ['a TIFF', /^(II\*\0|MM\0\*)/],
  ['an AVIF or HEIC picture', /^[\s\S]{4}ftyp(avi[fs]|hei[cfsx]|mif1)/],
  ['a BMP', /^BM[\s\S]{4}\0{4}/],
]

/**
 * @param shown the source as it may be shown
 * @throws PregenError `E_IMAGE_FORMAT` for anything but PNG, JPEG and WebP, `E_IMAGE_ANIMATED`
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
          : 'An image must be a PNG, JPEG or WebP file, whatever it is named.',
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
  const isWebp = bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP'
  return isWebp ? 'webp' : null
}

/** WebP: the flag of its VP8X chunk. PNG: an `acTL` chunk before the first `IDAT`. */
function isAnimated(bytes: Buffer, format: ImageFormat): boolean {
  if (format === 'webp') return bytes.toString('latin1', 12, 16) === 'VP8X' && ((bytes[20] ?? 0) & 2) !== 0
  if (format !== 'png') return false
  for (let at = pngSignature.length; at + 8 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const type = bytes.toString('latin1', at + 4, at + 8)
    if (type === 'IDAT') return false
    if (type === 'acTL') return true
  }
  return false
}
