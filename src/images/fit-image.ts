/** Brings a picture to the size that is asked for. */

import { PregenError } from '../errors.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { ImageSize } from './image-size.ts'
import { resizeLanczos } from './pillow-resize.ts'

/**
 * How a picture of another aspect is brought to a size: `cover` fills it and crops what stands over at both
 * sides alike (diffusers' resize mode "crop"), `contain` shows all of it between black borders (the geometry
 * of diffusers' "fill", which smears the edges there), `fill` stretches it (diffusers' default).
 */
export type ImageFit = 'cover' | 'contain' | 'fill'

/**
 * @param shown the source as it may be shown
 * @throws PregenError `E_IMAGE_ASPECT` where no `fit` says how another aspect is to be brought to the target
 */
export function checkAspect(
  image: ImageSize,
  target: ImageSize,
  fit: ImageFit | undefined,
  shown: string,
): void {
  if (fit !== undefined || isSameAspect(image, target)) return
  throw new PregenError(
    'E_IMAGE_ASPECT',
    `"${shown}" is ${image.width} × ${image.height}; the picture asked for, ${target.width} × ${target.height}, ` +
      'has another aspect.',
    {
      help:
        'Say how with fit: cover (crop), contain (black borders) or fill (stretch), or give a width and ' +
        'height of the same aspect.',
    },
  )
}

/** True where keeping the aspect exactly would change one side of the target by less than a pixel. */
export function isSameAspect(image: ImageSize, target: ImageSize): boolean {
  const widthOff = Math.abs((image.width * target.height) / image.height - target.width)
  const heightOff = Math.abs((image.height * target.width) / image.width - target.height)
  return Math.min(widthOff, heightOff) < 1
}

/** Resizes with Lanczos as Pillow does. Without a `fit` the aspect is taken as checked. */
export function fitImage(image: RgbImage, target: ImageSize, fit: ImageFit | undefined): RgbImage {
  const { width, height } = target
  if (fit === undefined || fit === 'fill') return resizeLanczos(image, target)

  const isWider = image.width / image.height > width / height
  const byHeight = { width: Math.max(1, Math.floor((image.width * height) / image.height)), height }
  const byWidth = { width, height: Math.max(1, Math.floor((image.height * width) / image.width)) }
  if (fit === 'cover') {
    const resized = isWider ? byHeight : byWidth
    const left = Math.floor(resized.width / 2) - Math.floor(width / 2)
    const top = Math.floor(resized.height / 2) - Math.floor(height / 2)
    return resizeLanczos(image, resized, { left, top, width, height })
  }
  const inner = resizeLanczos(image, isWider ? byWidth : byHeight)
  return onBlack(inner, target)
}

function onBlack(inner: RgbImage, { width, height }: ImageSize): RgbImage {
  const left = Math.floor(width / 2) - Math.floor(inner.width / 2)
  const top = Math.floor(height / 2) - Math.floor(inner.height / 2)
  const rgb = new Uint8Array(width * height * 3)
  for (let row = 0; row < inner.height; row++) {
    const from = row * inner.width * 3
    rgb.set(inner.rgb.subarray(from, from + inner.width * 3), ((top + row) * width + left) * 3)
  }
  return { rgb, width, height }
}
