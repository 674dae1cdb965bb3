/**
 * Pixels as diffusers' `load_image` gives them: EXIF orientation applied, then Pillow's `convert("RGB")`.
 * Alpha is dropped, not composited; colour profiles and gamma are not applied; CMYK is converted by Pillow's
 * plain formula. Differences: of 16-bit greys the high byte is taken, where Pillow clips at 255; AVIF is a level off by
 * rounding, and more at hard edges where its colour has half the size (4:2:0), which libheif does not smooth.
 */

import type { Sharp } from 'sharp'
import { messageOf, PregenError } from '../errors.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { withoutTransparency } from './gif-transparency.ts'
import { type ImageFormat, sniffImageFormat } from './image-format.ts'
import { loadSharp } from './load-sharp.ts'
import { applyOrientation, orientedSize } from './orientation.ts'

export interface ImageFacts {
  readonly format: ImageFormat
  /** As seen, with the orientation applied. */
  readonly width: number
  readonly height: number
}

interface Header extends ImageFacts {
  readonly orientation: number
  readonly isCmyk: boolean
}

/**
 * Reads the header only.
 *
 * @param shown the source as it may be shown
 * @throws PregenError `E_IMAGE_FORMAT`, `E_IMAGE_ANIMATED`, `E_IMAGE_BROKEN`, `E_IMAGE_TOO_MANY_PIXELS`
 */
export async function inspectImage(bytes: Buffer, shown: string, maxPixels: number): Promise<ImageFacts> {
  const { format, width, height } = await readHeader(bytes, shown, maxPixels)
  return { format, width, height }
}

/**
 * @param shown the source as it may be shown
 * @throws PregenError as `inspectImage`; `E_IMAGE_BROKEN` for files that are cut off, too
 */
export async function decodeImage(bytes: Buffer, shown: string, maxPixels: number): Promise<RgbImage> {
  const { format, orientation, isCmyk } = await readHeader(bytes, shown, maxPixels)
  const input = await openImage(format === 'gif' ? withoutTransparency(bytes) : bytes, maxPixels)
  const converted = isCmyk
    ? input.pipelineColourspace('cmyk').toColourspace('cmyk')
    : input.removeAlpha().toColourspace('srgb')
  const { data, info } = await orBroken(
    shown,
    converted.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true }),
  )
  const { width, height } = info
  const rgb = isCmyk ? rgbFromCmyk(data) : data
  return applyOrientation({ rgb, width, height }, orientation)
}

async function readHeader(bytes: Buffer, shown: string, maxPixels: number): Promise<Header> {
  const format = sniffImageFormat(bytes, shown)
  // Without a limit here, so that the message can name the size; the header alone allocates nothing.
  const image = await openImage(bytes, false)
  const header = await orBroken(shown, image.metadata())
  const { width, height } = header
  if (width * height > maxPixels) {
    throw new PregenError(
      'E_IMAGE_TOO_MANY_PIXELS',
      `"${shown}" is ${width} × ${height}, which is more than ${maxPixels} pixels.`,
      { help: 'Scale it down to about the size of the pictures that are to be made.' },
    )
  }
  const orientation = header.orientation ?? orientationFromXmp(header.xmpAsString)
  return {
    format,
    ...orientedSize({ width, height }, orientation),
    orientation,
    isCmyk: header.space === 'cmyk',
  }
}

async function openImage(bytes: Buffer, maxPixels: number | false): Promise<Sharp> {
  const sharp = await loadSharp()
  return sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels, ignoreIcc: true })
}

/** Where EXIF has no orientation, Pillow takes XMP's. */
function orientationFromXmp(xmp: string | undefined): number {
  return Number(/tiff:Orientation(?:="|>)([0-9])/.exec(xmp ?? '')?.[1] ?? 1)
}

/** Pillow's `cmyk2rgb`: (255 − c)(255 − k) / 255, the product rounded in integers. */
function rgbFromCmyk(cmyk: Buffer): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3)
  for (let from = 0, to = 0; from < cmyk.length; from += 4) {
    const light = 255 - cmyk[from + 3]!
    for (let channel = 0; channel < 3; channel++) {
      const product = cmyk[from + channel]! * light + 128
      rgb[to++] = light - (((product >> 8) + product) >> 8)
    }
  }
  return rgb
}

async function orBroken<T>(shown: string, pending: Promise<T>): Promise<T> {
  try {
    return await pending
  } catch (cause) {
    throw new PregenError('E_IMAGE_BROKEN', `"${shown}" cannot be decoded: ${firstLine(messageOf(cause))}.`, {
      help: 'The file may be cut off or damaged: open it in a viewer, and copy or save it again.',
      cause,
    })
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!.trim().replace(/\.$/, '')
}
