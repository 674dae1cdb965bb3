/** The picture that image-to-image starts from: checked before any model loads, loaded when its turn comes. */

import { createHash } from 'node:crypto'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { decodeImage, type ImageFacts, inspectImage } from './decode-image.ts'
import { checkAspect, fitImage, type ImageFit } from './fit-image.ts'
import { defaultImageLimits, type ImageLimits, readImageSource, showSource } from './read-source.ts'

export { toModelInput } from './model-input.ts'

export interface InitImageSource {
  /** A path (absolute, or relative to the working folder), or an https URL. */
  readonly source: string
  /** Lets `http:` URLs and private addresses through. */
  readonly allowPrivate?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly limits?: Partial<ImageLimits> | undefined
}

export interface InitImageRequest extends InitImageSource {
  /** Size of the picture that is to be made. */
  readonly width: number
  readonly height: number
  /** undefined: a picture of another aspect is an error. */
  readonly fit?: ImageFit | undefined
}

export interface InitImageFacts extends ImageFacts {
  readonly sizeBytes: number
  /** Of the source's bytes, in hex. */
  readonly sha256: string
}

export interface LoadedInitImage extends RgbImage {
  /** Of the source's bytes, in hex. */
  readonly sha256: string
}

/**
 * Reads the source and its header, and decodes nothing.
 *
 * @throws PregenError `E_IMAGE_…`: missing, not a file, unreadable, too large, no known format, animated,
 *   broken, too many pixels, or what keeps a URL from being fetched
 */
export async function inspectInitImage(request: InitImageSource): Promise<InitImageFacts> {
  const { bytes, shown, limits } = await readSource(request)
  return {
    ...(await inspectImage(bytes, shown, limits.maxPixels)),
    sizeBytes: bytes.length,
    sha256: imageDigest(bytes),
  }
}

/**
 * All that can be found wrong with an image without a model: reads it, decodes it, and compares its aspect.
 *
 * @throws PregenError as `inspectInitImage`, and `E_IMAGE_ASPECT`
 */
export async function checkInitImage(request: InitImageRequest): Promise<InitImageFacts> {
  const { bytes, shown, limits } = await readSource(request)
  const facts = await inspectImage(bytes, shown, limits.maxPixels)
  checkAspect(facts, request, request.fit, shown)
  await decodeImage(bytes, shown, limits.maxPixels)
  return { ...facts, sizeBytes: bytes.length, sha256: imageDigest(bytes) }
}

/**
 * The picture at exactly `width` × `height`.
 *
 * @throws PregenError as `checkInitImage`
 */
export async function loadInitImage(request: InitImageRequest): Promise<LoadedInitImage> {
  const { bytes, shown, limits } = await readSource(request)
  const image = await decodeImage(bytes, shown, limits.maxPixels)
  checkAspect(image, request, request.fit, shown)
  const { width, height, fit } = request
  return { ...fitImage(image, { width, height }, fit), sha256: imageDigest(bytes) }
}

/** The bytes, under the limits; `shown` is the source as it may be shown. */
export async function readSource({ source, allowPrivate, signal, limits: given }: InitImageSource) {
  const limits: ImageLimits = { ...defaultImageLimits, ...given }
  return {
    bytes: await readImageSource(source, { limits, allowPrivate, signal }),
    shown: showSource(source),
    limits,
  }
}

export function imageDigest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
