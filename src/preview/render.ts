/** One preview: latents in, a picture out, by whichever method the unit asks for. */

import { messageOf, PregenError } from '../errors.ts'
import type { LatentRgbFactors } from '../families/family.ts'
import type { PreviewSettings } from '../plan/unit.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { DecodeLatents } from './decoder.ts'
import { enlarge } from './enlarge.ts'
import { imageOfTensor, notFinite } from './image-of-tensor.ts'
import { checkChannels, latentSize, latentsToRgb } from './latent-rgb.ts'

export interface PreviewRendererOptions {
  readonly settings: Pick<PreviewSettings, 'method' | 'size'>
  /** Latent channels of the model. */
  readonly channels: number
  /** For `latent2rgb`. */
  readonly factors?: LatentRgbFactors | undefined
  /** For `taesd` (see `createPreviewDecoder`) and `full` (the model's own VAE). */
  readonly decode?: DecodeLatents | undefined
  /** Of the final picture, in pixels. */
  readonly width: number
  readonly height: number
}

export interface PreviewRenderer {
  /**
   * @param step from 1, for messages
   * @param latents model-space latents of one sample; not kept, not changed
   * @param dims [1, C, h, w]
   * @throws PregenError `E_PREVIEW_…`, always: whatever goes wrong is this preview's fault, never the unit's
   */
  render(step: number, latents: Float32Array, dims: readonly number[]): Promise<RgbImage>
}

/**
 * Previews of one unit. `latent2rgb` gives one pixel a latent unless `size` is `image`; decoders give the
 * picture's own size.
 * @throws PregenError `E_PREVIEW_CHANNELS` for factors of another latent space, `E_PREVIEW_FACTORS` or
 *   `E_PREVIEW_DECODER` when what the method needs was not given
 */
export function createPreviewRenderer(options: PreviewRendererOptions): PreviewRenderer {
  const { settings, channels, width, height } = options
  const toImage = methodOf(options)
  const isSmall = settings.method === 'latent2rgb' && settings.size === 'latent'
  return {
    async render(step, latents, dims) {
      try {
        checkChannels(channels, latentSize(latents, dims).channels, 'Previews')
        const image = await toImage(latents, dims)
        return isSmall ? image : await enlarge(image, width, height)
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

type ToImage = (latents: Float32Array, dims: readonly number[]) => RgbImage | Promise<RgbImage>

function methodOf({ settings, channels, factors, decode }: PreviewRendererOptions): ToImage {
  if (settings.method === 'latent2rgb') {
    if (factors === undefined) {
      throw new PregenError('E_PREVIEW_FACTORS', 'latent2rgb previews need factors, and none were given.')
    }
    checkChannels(factors.factors.length, channels)
    return (latents, dims) => latentsToRgb(latents, dims, factors)
  }
  if (decode === undefined) {
    throw new PregenError(
      'E_PREVIEW_DECODER',
      `${settings.method} previews need a decoder, and none was given.`,
    )
  }
  return async (latents, dims) => {
    // A decoder may squash a NaN into a plausible grey (tanh, clip): look before it does.
    for (let i = 0; i < latents.length; i++) {
      if (!Number.isFinite(latents[i]!)) throw notFinite('The latent state', latents[i]!)
    }
    return imageOfTensor(await decode({ data: latents, dims }))
  }
}
