/**
 * Previews by a decoder: a tiny one (taesd: diffusers' AutoencoderTiny, madebyollin/taesd) or the model's own
 * VAE. Both are one function here, from model-space latents to a picture in −1 … 1.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkChannels, latentSize } from './latent-rgb.ts'

/** Model-space latents [1, C, h, w] → picture [1, 3, H, W], values about −1 … 1. */
export type DecodeLatents = (latents: Tensor) => Promise<Tensor>

/** What `preview_decoder/config.json` says; model-space latents go in as latents / scalingFactor + shiftFactor. */
export interface PreviewDecoderConfig {
  readonly scalingFactor: number
  readonly shiftFactor: number
  /** undefined when the config does not say. */
  readonly latentChannels: number | undefined
}

/** diffusers' AutoencoderTiny takes model-space latents as they are. */
export const TINY_DECODER_DEFAULTS: PreviewDecoderConfig = {
  scalingFactor: 1,
  shiftFactor: 0,
  latentChannels: undefined,
}

/** diffusers' AutoencoderKL without a `scaling_factor` is Stable Diffusion 1's. */
const KL_SCALING_FACTOR = 0.18215

/**
 * @param file for messages
 * @throws PregenError `E_PREVIEW_DECODER` when it is not a config of a decoder
 */
export function parsePreviewDecoderConfig(text: string, file: string): PreviewDecoderConfig {
  const fault = (why: string, cause?: unknown) =>
    new PregenError('E_PREVIEW_DECODER', `${file} ${why}.`, {
      cause,
      help: "preview_decoder/ is a diffusers AutoencoderTiny export: model.onnx and the autoencoder's config.json.",
    })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw fault(`is not JSON: ${messageOf(error)}`, error)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw fault('is not a JSON object')
  const config = new Map<string, unknown>(Object.entries(json))
  const number = (key: string, fallback: number): number => {
    const value = config.get(key) ?? fallback
    if (typeof value !== 'number' || !Number.isFinite(value)) throw fault(`has a ${key} that is not a number`)
    return value
  }
  const isKl = config.get('_class_name') === 'AutoencoderKL'
  const scalingFactor = number(
    'scaling_factor',
    isKl ? KL_SCALING_FACTOR : TINY_DECODER_DEFAULTS.scalingFactor,
  )
  if (scalingFactor === 0) throw fault('has a scaling_factor of 0')
  return {
    scalingFactor,
    shiftFactor: number('shift_factor', TINY_DECODER_DEFAULTS.shiftFactor),
    latentChannels: config.has('latent_channels') ? number('latent_channels', 0) : undefined,
  }
}

/** Reads `config.json` of a preview decoder's folder; a folder without one is taken as AutoencoderTiny's defaults. */
export async function readPreviewDecoderConfig(folder: string): Promise<PreviewDecoderConfig> {
  const file = join(folder, 'config.json')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return TINY_DECODER_DEFAULTS
    throw new PregenError('E_PREVIEW_DECODER', `${file} cannot be read: ${messageOf(error)}.`, {
      cause: error,
    })
  }
  return parsePreviewDecoderConfig(text, file)
}

/**
 * A decoder as previews use it: checks the channels, brings the latents to the decoder's own space and runs it.
 * @param run feeds `latent_sample` and gives `sample` of the ONNX session
 * @param channels latent channels of the model
 * @throws PregenError `E_PREVIEW_CHANNELS` when the decoder is for another number of channels
 */
export function createPreviewDecoder(
  run: DecodeLatents,
  channels: number,
  config: PreviewDecoderConfig = TINY_DECODER_DEFAULTS,
): DecodeLatents {
  const { scalingFactor, shiftFactor, latentChannels } = config
  if (latentChannels !== undefined)
    checkChannels(latentChannels, channels, 'The weights of the preview decoder')
  return async (latents) => {
    const given = latentSize(latents.data, latents.dims)
    checkChannels(channels, given.channels, 'The weights of the preview decoder')
    if (scalingFactor === 1 && shiftFactor === 0) return await run(latents)
    return await run({
      data: latents.data.map((value) => value / scalingFactor + shiftFactor),
      dims: latents.dims,
    })
  }
}
