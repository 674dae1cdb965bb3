/** One preview: latents in, a picture out, by whichever method the unit asks for. */

import { messageOf, PregenError } from '../errors.ts'
import type { LatentRgbFactors } from '../families/family.ts'
import type { PreviewSettings } from '../plan/unit.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { type DecodePictures, frameOf, middleFrame } from './decoder.ts'
import { enlarge } from './enlarge.ts'
import { requireFinite } from './image-of-tensor.ts'
import { checkChannels, latentSize, latentsToRgb } from './latent-rgb.ts'
import { composeStrip } from './strip.ts'

/** What a step is shown as. */
export interface StepPreview {
  readonly image: RgbImage
  /** Of a video whose previews move: all its frames, small; else undefined. */
  readonly frames?: readonly RgbImage[] | undefined
}

type Shown = Pick<PreviewSettings, 'method' | 'size' | 'frames'>

export interface PreviewRendererOptions {
  readonly settings: Shown
  /** Latent channels of the model. */
  readonly channels: number
  /** For `latent2rgb`. */
  readonly factors?: LatentRgbFactors | undefined
  /** For `taesd` (see `createPreviewDecoder`) and `full` (the model's own VAE). */
  readonly decode?: DecodePictures | undefined
  /** Of the final picture, in pixels. */
  readonly width: number
  readonly height: number
}

export interface PreviewRenderer {
  /**
   * @param step from 1, for messages
   * @param latents model-space latents of one sample; not kept, not changed
   * @param dims [1, C, h, w]; [1, C, frames, h, w] of a video that is shown whole
   * @throws PregenError `E_PREVIEW_…`, always: whatever goes wrong is this preview's fault, never the unit's
   */
  render(step: number, latents: Float32Array, dims: readonly number[]): Promise<StepPreview>
}

/**
 * Previews of one unit. `latent2rgb` gives one pixel a latent unless `size` is `image`; decoders give the
 * picture's own size.
 * @throws PregenError `E_PREVIEW_CHANNELS` for factors of another latent space, `E_PREVIEW_FACTORS` or
 *   `E_PREVIEW_DECODER` when what the method needs was not given
 */
export function createPreviewRenderer(options: PreviewRendererOptions): PreviewRenderer {
  const { settings, channels } = options
  const toImages = methodOf(options)
  const one = async (latents: Float32Array, dims: readonly number[]): Promise<RgbImage> => {
    checkChannels(channels, latentSize(latents, dims).channels, 'Previews')
    const [image] = await toImages(latents, dims)
    if (image === undefined) throw new Error('the decoder gave no picture')
    return image
  }
  return {
    async render(step, latents, dims) {
      try {
        if (dims.length !== 5) return await showFrames(options, await one(latents, dims))
        const [, , frames = 0, h = 0, w = 0] = dims
        const images = await toImages(latents, [1, channels, frames, h, w])
        const [first] = images
        if (first === undefined) throw new Error('the decoder gave no picture')
        // As it would be alone: a decoder that remembers would show it otherwise.
        const middle = middleFrame(latents, dims)
        const image = settings.frames === 'animated' ? await one(middle.data, middle.dims) : first
        return await showFrames(options, image, images)
      } catch (error) {
        const code = error instanceof PregenError ? error.code : 'E_PREVIEW_FAILED'
        const help = error instanceof PregenError ? error.help : undefined
        throw new PregenError(
          code,
          `The ${settings.method} preview of step ${step} failed: ${messageOf(error)}`,
          {
            cause: error,
            help,
            exitCode: 3,
          },
        )
      }
    },
  }
}

/** A picture for each frame; [1, C, h, w] is one. */
type ToImages = (
  latents: Float32Array,
  dims: readonly number[],
) => readonly RgbImage[] | Promise<readonly RgbImage[]>

function methodOf({ settings, channels, factors, decode }: PreviewRendererOptions): ToImages {
  if (settings.method === 'latent2rgb') {
    if (factors === undefined) {
      throw new PregenError('E_PREVIEW_FACTORS', 'latent2rgb previews need factors, and none were given.')
    }
    checkChannels(factors.factors.length, channels)
    return (latents, dims) => {
      if (dims.length !== 5) return [latentsToRgb(latents, dims, factors)]
      const [, , frames = 0, h = 0, w = 0] = dims
      return Array.from({ length: frames }, (_, frame) =>
        latentsToRgb(frameOf(latents, dims, frame), [1, channels, h, w], factors),
      )
    }
  }
  if (decode === undefined) {
    throw new PregenError(
      'E_PREVIEW_DECODER',
      `${settings.method} previews need a decoder, and none was given.`,
    )
  }
  return async (latents, dims) => {
    // A decoder may squash a NaN into a plausible grey (tanh, clip): look before it does.
    requireFinite('The latent state', latents)
    return await decode({ data: latents, dims })
  }
}

interface ShowOptions {
  readonly settings: Shown
  readonly width: number
  readonly height: number
}

/** Longest edge of frames that move, in pixels: a step's animation is for a corner of a screen. */
export const ANIMATION_EDGE = 256

/**
 * Pictures as the settings have them shown.
 * @param image the one picture; of a video its middle frame
 * @param frames of a video that is shown whole
 */
export async function showFrames(
  { settings, width, height }: ShowOptions,
  image: RgbImage,
  frames?: readonly RgbImage[],
): Promise<StepPreview> {
  const isSmall = settings.method === 'latent2rgb' && settings.size === 'latent'
  const whole = (picture: RgbImage) => (isSmall ? picture : enlarge(picture, width, height))
  if (settings.frames === 'all' && frames !== undefined) {
    // Row by row, about as wide as the video.
    const columns = Math.ceil(Math.sqrt(frames.length))
    const sheet = await composeStrip(frames, columns, { gap: 0, background: [0, 0, 0] })
    const scaled = Math.max(1, Math.round((sheet.height * width) / sheet.width))
    return { image: isSmall ? sheet : await enlarge(sheet, width, scaled) }
  }
  if (settings.frames !== 'animated' || frames === undefined) return { image: await whole(image) }
  const scale = Math.min(1, ANIMATION_EDGE / Math.max(width, height))
  const [w, h] = [width, height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number]
  const moving: RgbImage[] = []
  for (const frame of frames) moving.push(isSmall ? frame : await enlarge(frame, w, h))
  return { image: await whole(image), frames: moving }
}
