/**
 * latent2rgb: every latent becomes one pixel by a linear map of its channels. It costs next to nothing and is
 * good enough to see a picture form; how good depends on the factors, which belong to one latent space.
 */
import { PregenError } from '../errors.ts'
import type { LatentRgbFactors } from '../families/family.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { notFinite } from './image-of-tensor.ts'

/**
 * Maps latents to a picture of one pixel a latent:
 * rgb[c] = Σₖ latent[k] · factors[k][c] + bias[c], u8 = round(clamp((rgb + 1) / 2, 0, 1) · 255).
 * @param latents model-space latents (not divided by the VAE's scaling factor), NCHW, one sample
 * @param dims [1, C, h, w]
 * @throws PregenError `E_PREVIEW_CHANNELS` when the factors are for another number of channels,
 *   `E_PREVIEW_SHAPE` when the dims are not one sample's, `E_PREVIEW_NOT_FINITE` for NaN or infinity
 */
export function latentsToRgb(
  latents: Float32Array,
  dims: readonly number[],
  { factors, bias }: LatentRgbFactors,
): RgbImage {
  const { channels, width, height } = latentSize(latents, dims)
  checkChannels(factors.length, channels)
  const plane = width * height
  const red = new Float64Array(plane).fill(bias[0])
  const green = new Float64Array(plane).fill(bias[1])
  const blue = new Float64Array(plane).fill(bias[2])
  // Channel by channel: every array is then walked in order, which is what the processor's cache likes.
  for (let channel = 0; channel < channels; channel++) {
    const [r, g, b] = factors[channel]!
    const start = channel * plane
    for (let i = 0; i < plane; i++) {
      const value = latents[start + i]!
      red[i]! += value * r
      green[i]! += value * g
      blue[i]! += value * b
    }
  }
  const rgb = new Uint8Array(plane * 3)
  for (let i = 0, out = 0; i < plane; i++, out += 3) {
    const sum = red[i]! + green[i]! + blue[i]!
    // One test a pixel: NaN and infinity in any latent reach the sum, whatever the factors are.
    if (!Number.isFinite(sum)) throw notFinite('The latent state', sum)
    rgb[out] = toByte(red[i]!)
    rgb[out + 1] = toByte(green[i]!)
    rgb[out + 2] = toByte(blue[i]!)
  }
  return { rgb, width, height }
}

function toByte(value: number): number {
  const level = (value + 1) * 127.5
  return level <= 0 ? 0 : level >= 255 ? 255 : Math.floor(level + 0.5)
}

/**
 * Reads the size of one sample of latents.
 * @throws PregenError `E_PREVIEW_SHAPE` unless dims are [1, C, h, w] and `latents` fills them
 */
export function latentSize(
  latents: Float32Array,
  dims: readonly number[],
): { channels: number; width: number; height: number } {
  const [batch, channels = 0, height = 0, width = 0] = dims
  const size = channels * height * width
  if (dims.length !== 4 || batch !== 1 || size < 1 || latents.length !== size) {
    throw new PregenError(
      'E_PREVIEW_SHAPE',
      `A preview takes one sample's latents as [1, channels, height, width], got ${latents.length} values as [${dims.join(', ')}].`,
    )
  }
  return { channels, width, height }
}

/** @throws PregenError `E_PREVIEW_CHANNELS` when factors for `ofFactors` channels meet latents of `ofLatents` */
export function checkChannels(ofFactors: number, ofLatents: number, source = 'The latent2rgb factors'): void {
  if (ofFactors === ofLatents) return
  throw new PregenError(
    'E_PREVIEW_CHANNELS',
    `${source} are for ${ofFactors} latent channels, but this model's latents have ${ofLatents}: the colours would be wrong.`,
    {
      help: 'Run `pregen models calibrate` on the model folder to fit its own factors, or choose another previews.method.',
    },
  )
}
