/** A picture that stands in a video: read once, for the VAE at the size of the video and for CLIP as it is. */
import { decodeImage } from './decode-image.ts'
import { checkAspect, fitImage } from './fit-image.ts'
import { type InitImageRequest, imageDigest, readSource } from './init-image.ts'
import { toModelInput } from './model-input.ts'
import { type VisionSettings, visionInput } from './vision-input.ts'

export interface KeyframeRequest extends InitImageRequest {
  /** null: CLIP is not shown it. */
  readonly vision: VisionSettings | null
}

export interface LoadedKeyframe {
  /** Of the source's bytes, in hex. */
  readonly sha256: string
  /** [3, height, width], −1 … 1 */
  readonly pixels: Float32Array
  /** [3, side, side], or null. */
  readonly shown: Float32Array | null
}

/** @throws PregenError as `checkInitImage` */
export async function loadKeyframe(request: KeyframeRequest): Promise<LoadedKeyframe> {
  const { bytes, shown, limits } = await readSource(request)
  const image = await decodeImage(bytes, shown, limits.maxPixels)
  const { width, height, fit, vision } = request
  checkAspect(image, request, fit, shown)
  return {
    sha256: imageDigest(bytes),
    pixels: toModelInput(fitImage(image, { width, height }, fit)),
    shown: vision === null ? null : visionInput(image, vision),
  }
}
