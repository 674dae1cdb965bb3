/** Frames of a video to latents, a few at a time, with what the convolutions have seen of the past carried from call to call. */
import type { CarriedValues } from '../model/carried-values.ts'
import type { VaeFacts } from '../model/folder.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { drawingCancelled } from './cancelled.ts'
import type { ImageModels } from './models.ts'
import { inStage, requireSound } from './stage.ts'

export interface ClipToEncode {
  /** One, or one and a multiple of `framesPerLatent`. */
  readonly frames: number
  readonly width: number
  readonly height: number
  readonly framesPerLatent: number
  /** Writes a frame, [3, height, width] in −1 … 1; null: it is grey. */
  readonly frame: (index: number) => Float32Array | null
}

type Models = Pick<ImageModels, 'vae' | 'vaeEncoder' | 'parts'>

/**
 * The mode of the posterior, in the denoiser's scale; nothing is drawn.
 * @returns [channels, latent frames, h, w]
 */
export function encodeFrames(
  { vae, vaeEncoder, parts }: Models,
  clip: ClipToEncode,
  shouldStop: () => boolean = () => false,
): Promise<Float32Array> {
  return inStage('image encode', async () => {
    if (vaeEncoder === null) throw new Error('the VAE encoder is not loaded')
    const { frames, width, height, framesPerLatent } = clip
    const { latentChannels: channels, scale } = vae
    const latentFrames = (frames - 1) / framesPerLatent + 1
    const [h, w] = [height / scale, width / scale]
    const latents = new Float32Array(channels * latentFrames * h * w)
    const withPast = parts.vae_encoder_with_past
    let past: CarriedValues | null = null
    let done = 0
    const encode = async (session: typeof vaeEncoder, input: ReturnType<typeof writerOf>): Promise<void> => {
      if (shouldStop()) throw drawingCancelled('video')
      const shape = [1, 2 * channels, null, h, w]
      const { output, carried } = await session.stream({
        inputs: [input.input],
        output: 'latent_parameters',
        shape,
        past,
      })
      past = carried
      requireSound(output.data, 'The video’s latents')
      done += place(output, latents, { channels, latentFrames, done })
      session.freeOutputs()
    }
    try {
      const atFirst = writerOf(vaeEncoder, clip, withPast === undefined ? frames : 1)
      atFirst.write(0)
      await encode(vaeEncoder, atFirst)
      if (withPast !== undefined && frames > 1) {
        const next = writerOf(withPast, clip, framesPerLatent)
        for (let start = 1; start < frames; start += framesPerLatent) {
          next.write(start)
          await encode(withPast, next)
        }
      }
    } finally {
      free(past)
    }
    toDenoiserScale(latents, vae)
    return latents
  })
}

function free(past: CarriedValues | null): void {
  past?.free()
}

/** An input of so many frames: those that stay grey are written once. */
function writerOf(
  session: NonNullable<Models['vaeEncoder']>,
  { width, height, frame }: ClipToEncode,
  count: number,
) {
  const input = session.createInput('sample', [1, 3, count, height, width])
  const plane = width * height
  const grey = new Float32Array(plane)
  const isGrey = new Array<boolean>(count).fill(true)
  return {
    input,
    write(start: number) {
      for (let offset = 0; offset < count; offset++) {
        const pixels = frame(start + offset)
        if (pixels === null && isGrey[offset]) continue
        isGrey[offset] = pixels === null
        for (let channel = 0; channel < 3; channel++) {
          const values = pixels?.subarray(channel * plane, (channel + 1) * plane) ?? grey
          input.write(values, (channel * count + offset) * plane)
        }
      }
    },
  }
}

/** The means of a chunk's latent frames into their places. @returns how many there were */
function place(
  { data, dims }: Tensor,
  latents: Float32Array,
  { channels, latentFrames, done }: { channels: number; latentFrames: number; done: number },
): number {
  const [, , count = 0, h = 0, w = 0] = dims
  if (done + count > latentFrames) throw new RangeError('the encoder gave too many latent frames')
  const plane = h * w
  for (let channel = 0; channel < channels; channel++) {
    const from = channel * count * plane
    latents.set(data.subarray(from, from + count * plane), (channel * latentFrames + done) * plane)
  }
  return count
}

/** diffusers' (x − mean) · (1 / deviation), in float32. In place. */
function toDenoiserScale(latents: Float32Array, { latentsMean, latentsStd, latentChannels }: VaeFacts): void {
  const plane = latents.length / latentChannels
  for (let channel = 0; channel < latentChannels; channel++) {
    const mean = Math.fround(latentsMean?.[channel] ?? 0)
    const inverse = Math.fround(1 / Math.fround(latentsStd?.[channel] ?? 1))
    for (let i = channel * plane; i < (channel + 1) * plane; i++) {
      latents[i] = Math.fround(latents[i]! - mean) * inverse
    }
  }
}
