/** A picture that the model looks at while it draws, as diffusers' Flux2ImageProcessor prepares it. */

import { PregenError } from '../errors.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { decodeImage } from './decode-image.ts'
import type { ImageSize } from './image-size.ts'
import { type InitImageSource, imageDigest, readSource } from './init-image.ts'
import { resizeLanczos } from './pillow-resize.ts'

/** Larger pictures are scaled down to this area. */
const MAX_AREA = 1024 * 1024
const MIN_SIDE = 64
const MAX_RATIO = 8

export interface ReferenceImageRequest extends InitImageSource {
  /** Sides are cropped to multiples of this, about the middle. */
  readonly multiple: number
}

export interface LoadedReferenceImage extends RgbImage {
  /** Of the source's bytes, in hex. */
  readonly sha256: string
}

/** @throws PregenError `E_IMAGE_…`; `E_REFERENCE_SIZE` for sides below 64 pixels, or one over eight times the other */
export async function loadReferenceImage(request: ReferenceImageRequest): Promise<LoadedReferenceImage> {
  const { bytes, shown, limits } = await readSource(request)
  const image = await decodeImage(bytes, shown, limits.maxPixels)
  checkReferenceSize(image, shown)
  return { ...prepareReference(image, request.multiple), sha256: imageDigest(bytes) }
}

/** @param shown the source as it may be shown. @throws PregenError `E_REFERENCE_SIZE` */
function checkReferenceSize({ width, height }: ImageSize, shown: string): void {
  const fault = (why: string) =>
    new PregenError('E_REFERENCE_SIZE', `"${shown}" is ${width} × ${height}: ${why}.`, {
      help: `A reference picture has sides of ${MIN_SIDE} pixels or more, one at most ${MAX_RATIO} times the other.`,
    })
  if (Math.min(width, height) < MIN_SIDE) throw fault('it is too small')
  if (Math.max(width, height) > MAX_RATIO * Math.min(width, height)) throw fault('it is too narrow')
}

/** Scaled down to the greatest area where it has more, then cropped about the middle. */
function prepareReference(image: RgbImage, multiple: number): RgbImage {
  const scale = Math.sqrt(MAX_AREA / (image.width * image.height))
  const whole =
    scale < 1
      ? { width: Math.trunc(image.width * scale), height: Math.trunc(image.height * scale) }
      : { width: image.width, height: image.height }
  const width = Math.floor(whole.width / multiple) * multiple
  const height = Math.floor(whole.height / multiple) * multiple
  const left = Math.floor((whole.width - width) / 2)
  const top = Math.floor((whole.height - height) / 2)
  return resizeLanczos(image, whole, { left, top, width, height })
}
