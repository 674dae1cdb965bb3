/**
 * Latents of a video to frames, a latent frame at a time: what the convolutions have seen of the past goes from call to call,
 * so that memory does not grow with the number of frames.
 */
import { PregenError } from '../errors.ts'
import type { CarriedValues } from '../model/carried-values.ts'
import type { VaeFacts } from '../model/folder.ts'
import { type RgbImage, toRgb } from '../tensor/rgb-image.ts'
import { sizeOf } from '../tensor/tensor.ts'
import { drawingCancelled } from './cancelled.ts'
import type { ImageModels } from './models.ts'
import type { GeneratedMedium, LatentDims } from './pipeline.ts'
import { inStage, requireSound } from './stage.ts'
import { framesOf, VAE_HELP } from './vae.ts'

/** Takes a frame, from 0, before the next ones are decoded. */
export type TakeFrame = (frame: RgbImage, index: number) => void | Promise<void>

export interface ClipDecoder {
  /** @param latents [1, channels, frames, h, w] in the denoiser's scale */
  decode(latents: Float32Array): Promise<GeneratedMedium['frames']>
  /**
   * The same, a few frames at a time.
   * @param shouldStop asked before each latent frame. @throws PregenError E_CANCELLED
   */
  stream(latents: Float32Array, take: TakeFrame, shouldStop?: () => boolean): Promise<void>
}

type Models = Pick<ImageModels, 'vae' | 'vaeDecoder' | 'parts'>

/** @param dims of a batch of videos */
export function createClipDecoder({ vae, vaeDecoder, parts }: Models, dims: LatentDims): ClipDecoder {
  const [, channels, frames = 1, h = 0, w = 0] = dims
  const [height, width] = [h * vae.scale, w * vae.scale]
  const plane = h * w
  const withPast = parts.vae_decoder_with_past
  // A graph that does not stream takes the whole video.
  const atOnce = withPast === undefined ? frames : 1
  const size = [1, channels, atOnce, h, w]
  const scaled = new Float32Array(sizeOf(size))
  const first = vaeDecoder.createInput('latent_sample', size)
  const next = withPast?.createInput('latent_sample', size)

  const stream: ClipDecoder['stream'] = async (latents, take, shouldStop = () => false) => {
    let past: CarriedValues | null = null
    let done = 0
    let isBlack = true
    try {
      for (let start = 0; start < frames; start += atOnce) {
        if (shouldStop()) throw drawingCancelled('video')
        const isFirst = start === 0
        const input = isFirst ? first : next
        const session = isFirst ? vaeDecoder : withPast
        if (input === undefined || session === undefined) throw new Error('the VAE does not stream')
        for (let channel = 0; channel < channels; channel++) {
          const from = (channel * frames + start) * plane
          scaled.set(latents.subarray(from, from + atOnce * plane), channel * atOnce * plane)
        }
        input.write(toVaeScale(scaled, vae, channels))
        const shape = [1, 3, null, height, width]
        const call = { inputs: [input], output: 'sample', shape, past }
        const {
          output,
          carried,
        }: { output: { data: Float32Array; dims: readonly number[] }; carried: CarriedValues } =
          await session.stream(call)
        past = carried
        requireSound(output.data, 'The decoded pixels', VAE_HELP)
        const pictures = framesOf(output.data, output.dims[2] ?? 0).map((data) => toRgb(data, width, height))
        session.freeOutputs()
        for (const picture of pictures) {
          isBlack &&= picture.rgb.every((value) => value === 0)
          await take(picture, done++)
        }
      }
    } finally {
      past?.free()
    }
    if (isBlack) {
      throw new PregenError('E_BLACK_IMAGE', 'The video is black all over.', { help: VAE_HELP, exitCode: 3 })
    }
  }
  return {
    stream: (latents, take, shouldStop) => inStage('vae decode', () => stream(latents, take, shouldStop)),
    async decode(latents) {
      const collected: RgbImage[] = []
      await this.stream(latents, (frame) => void collected.push(frame))
      const [head, ...rest] = collected
      if (head === undefined) throw new RangeError('the decoder gave no frame')
      return [head, ...rest]
    },
  }
}

/** diffusers' z / (1 / deviation) + mean, in float32. In place. */
function toVaeScale(
  latents: Float32Array,
  { latentsMean, latentsStd }: VaeFacts,
  channels: number,
): Float32Array {
  const plane = latents.length / channels
  for (let channel = 0; channel < channels; channel++) {
    const mean = Math.fround(latentsMean?.[channel] ?? 0)
    const inverse = Math.fround(1 / Math.fround(latentsStd?.[channel] ?? 1))
    for (let i = channel * plane; i < (channel + 1) * plane; i++) {
      latents[i] = Math.fround(latents[i]! / inverse) + mean
    }
  }
  return latents
}
