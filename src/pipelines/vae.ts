/** Between pixels and latents: the VAE's encoder with its posterior sample, the decoder, and rounding to bytes. */
import { PregenError } from '../errors.ts'
import type { VaeFacts } from '../model/folder.ts'
import type { ModelSession } from '../model/session.ts'
import type { ModelInput } from '../model/session-values.ts'
import { toRgb } from '../tensor/rgb-image.ts'
import type { ImageModels } from './models.ts'
import type { GeneratedMedium, GenerateRequest, LatentDims } from './pipeline.ts'
import { inStage, requireSound } from './stage.ts'

export const VAE_HELP =
  'VAEs overflow in half precision, SDXL’s above all: use an fp32 vae_decoder (or the fp16-fix of SDXL’s VAE) in this ' +
  'folder, or another provider (--provider cpu).'

/**
 * A picture's latents in the denoiser's scale: mean + std · noise of the VAE's posterior, shifted and scaled.
 * @param draw fills an array with normals; called once, or not at all for exports that sample by themselves
 * @returns [channels, h, w], a new array
 */
export async function encodeImage(
  { vae, vaeEncoder }: ImageModels,
  { initImage, width, height }: Pick<GenerateRequest, 'initImage' | 'width' | 'height'>,
  draw: (out: Float32Array) => Float32Array,
): Promise<Float32Array> {
  return inStage('image encode', async () => {
    if (vaeEncoder === null) throw new Error('the VAE encoder is not loaded')
    if (initImage?.length !== 3 * width * height)
      throw new RangeError('the picture is not 3 × height × width')
    const sample = vaeEncoder.createInput('sample', [1, 3, height, width])
    sample.write(initImage)
    const { latentChannels, scale } = vae
    const [parameters, sampled] = [2 * latentChannels, latentChannels].map((channels) => [
      ...[1, channels, height / scale, width / scale],
    ])
    const outputs = await (vaeEncoder.hasOutput('latent_parameters')
      ? vaeEncoder.run([sample], ['latent_parameters'], { latent_parameters: parameters! })
      : vaeEncoder.run([sample], ['latent_sample'], { latent_sample: sampled! }))
    const latents =
      'latent_parameters' in outputs
        ? samplePosterior(outputs.latent_parameters.data, draw)
        : outputs.latent_sample.data.slice()
    requireSound(latents, 'The picture’s latents', VAE_HELP)
    toDenoiserScale(latents, vae, width / scale)
    return latents
  })
}

/** diffusers' DiagonalGaussianDistribution: the first half of `parameters` is the mean, the second the log-variance. */
function samplePosterior(parameters: Float32Array, draw: (out: Float32Array) => Float32Array): Float32Array {
  const size = parameters.length / 2
  const sample = draw(new Float32Array(size))
  for (let i = 0; i < size; i++) {
    const logVariance = Math.min(Math.max(parameters[size + i]!, -30), 20)
    sample[i] = parameters[i]! + Math.fround(Math.fround(Math.exp(0.5 * logVariance)) * sample[i]!)
  }
  return sample
}

/**
 * Which value of `latentsMean` and `latentsStd` a latent belongs to. Where they have four a channel (FLUX.2), those are of
 * 2 × 2 patches: channel, then row, then column of the patch.
 */
function statisticOf({ latentsMean, latentChannels }: VaeFacts, width: number, plane: number) {
  if (latentsMean?.length !== 4 * latentChannels) return (index: number) => Math.floor(index / plane)
  return (index: number) => {
    const place = index % plane
    const row = Math.floor(place / width)
    return 4 * Math.floor(index / plane) + 2 * (row & 1) + ((place - row * width) & 1)
  }
}

/** Per-channel mean and deviation where the VAE has them (as SDXL's pipelines do), else shift and scale. In place. */
function toDenoiserScale(latents: Float32Array, vae: VaeFacts, width: number): void {
  const { scalingFactor, shiftFactor, latentsMean, latentsStd, latentChannels } = vae
  const plane = latents.length / latentChannels
  const statistic = statisticOf(vae, width, plane)
  for (let i = 0; i < latents.length; i++) {
    if (latentsMean !== null && latentsStd !== null) {
      const channel = statistic(i)
      latents[i] = ((latents[i]! - latentsMean[channel]!) * scalingFactor) / latentsStd[channel]!
    } else {
      latents[i] = Math.fround(latents[i]! - shiftFactor) * scalingFactor
    }
  }
}

/** The inverse, for one picture. */
function toVaeScale(latents: Float32Array, vae: VaeFacts, width: number): Float32Array {
  const { scalingFactor, shiftFactor, latentsMean, latentsStd, latentChannels } = vae
  const plane = latents.length / latentChannels
  const statistic = statisticOf(vae, width, plane)
  const out = new Float32Array(latents.length)
  for (let i = 0; i < latents.length; i++) {
    if (latentsMean !== null && latentsStd !== null) {
      const channel = statistic(i)
      out[i] = (latents[i]! * latentsStd[channel]!) / scalingFactor + latentsMean[channel]!
    } else {
      out[i] = Math.fround(latents[i]! / scalingFactor) + shiftFactor
    }
  }
  return out
}

/** Decodes one medium after another, so that memory does not depend on the batch. */
export interface VaeDecoder {
  /** @param latents [1, channels, ...space] in the denoiser's scale */
  decode(latents: Float32Array): Promise<GeneratedMedium['frames']>
}

/** @param dims of a batch; the input buffer is kept for all media of this size */
export function createVaeDecoder(session: ModelSession, vae: VaeFacts, dims: LatentDims): VaeDecoder {
  const [, ...shape] = dims
  const [height = 0, width = 0] = shape.slice(-2).map((side) => side * vae.scale)
  const output = session.hasOutput('sample') ? 'sample' : (session.outputs[0]?.name ?? 'sample')
  const input: ModelInput = session.createInput('latent_sample', [1, ...shape])
  // A causal video decoder makes several frames of one latent frame: how many is its own matter.
  const isVideo = dims.length > 4
  const planned = isVideo ? undefined : { [output]: [1, 3, height, width] }
  return {
    decode: (latents) =>
      inStage('vae decode', async () => {
        input.write(toVaeScale(latents, vae, width / vae.scale))
        const { [output]: sample } = await session.run([input], [output], planned)
        if (sample === undefined) throw new Error(`the VAE gave no ${output}`)
        const count = isVideo ? (sample.dims[2] ?? 0) : 1
        const expected = [1, 3, ...(isVideo ? [count] : []), height, width]
        if (sample.dims.join() !== expected.join()) {
          throw new RangeError(`the decoder gave [${sample.dims.join(', ')}], not [${expected.join(', ')}]`)
        }
        requireSound(sample.data, 'The decoded pixels', VAE_HELP)
        const [first, ...others] = framesOf(sample.data, count).map((data) => toRgb(data, width, height))
        session.freeOutputs()
        if (first === undefined) throw new RangeError('the decoder gave no frame')
        if ([first, ...others].every(({ rgb }) => rgb.every((value) => value === 0))) {
          throw new PregenError('E_BLACK_IMAGE', 'The picture is black all over.', {
            help: VAE_HELP,
            exitCode: 3,
          })
        }
        return [first, ...others]
      }),
  }
}

/** [3, frames, height, width] as one [3, height, width] a frame. */
export function framesOf(data: Float32Array, count: number): Float32Array[] {
  if (count === 1) return [data]
  const plane = data.length / (3 * count)
  return Array.from({ length: count }, (_, frame) => {
    const out = new Float32Array(3 * plane)
    for (let channel = 0; channel < 3; channel++) {
      const from = (channel * count + frame) * plane
      out.set(data.subarray(from, from + plane), channel * plane)
    }
    return out
  })
}
