/**
 * Previews by a decoder: a tiny one (taesd: diffusers' AutoencoderTiny, madebyollin/taesd) or the model's own
 * VAE. Both are one function here, from model-space latents to a picture in −1 … 1.
 */
import { dirname, join } from 'node:path'
import { messageOf, PregenError } from '../errors.ts'
import { JsonTextError, parseJsonText } from '../model-files/json-text.ts'
import { readInside } from '../model-files/open.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkChannels, latentSize } from './latent-rgb.ts'

/** Model-space latents [1, C, h, w] → picture [1, 3, H, W], values about −1 … 1; [1, C, frames, h, w] of a video → [frames, 3, H, W]. */
export type DecodeLatents = (latents: Tensor) => Promise<Tensor>

/** As `DecodeLatents`, made pictures: one, or one a frame. */
export type DecodePictures = (latents: Tensor) => Promise<readonly RgbImage[]>

/** What `preview_decoder/config.json` says; model-space latents go in as latents / scalingFactor + shiftFactor. */
export interface PreviewDecoderConfig {
  readonly scalingFactor: number
  readonly shiftFactor: number
  /** undefined when the config does not say. */
  readonly latentChannels: number | undefined
}

/** diffusers' AutoencoderTiny takes model-space latents as they are. */
const TINY_DECODER_DEFAULTS: PreviewDecoderConfig = {
  scalingFactor: 1,
  shiftFactor: 0,
  latentChannels: undefined,
}

/** A config of a few hundred values. */
const MAX_BYTES = 2 ** 20
const MAX_VALUES = 10_000
const MAX_SHIFT = 1e6

/** diffusers' AutoencoderKL without a `scaling_factor` is Stable Diffusion 1's. */
const KL_SCALING_FACTOR = 0.18215

/**
 * @param file for messages
 * @throws PregenError `E_PREVIEW_DECODER` when it is not a config of a decoder
 */
export function parsePreviewDecoderConfig(text: string, file: string): PreviewDecoderConfig {
  const fault = (why: string) =>
    new PregenError('E_PREVIEW_DECODER', `${file} ${why}.`, {
      help: "preview_decoder/ is a diffusers AutoencoderTiny export: model.onnx and the autoencoder's config.json.",
    })
  let json: unknown
  try {
    json = parseJsonText(text, { maxValues: MAX_VALUES, pythonNumbers: true })
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error
    throw fault(`is not JSON: ${messageOf(error)}`)
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw fault('is not a JSON object')
  const config = new Map<string, unknown>(Object.entries(json))
  const number = (key: string, fallback: number): number => {
    const value = config.get(key) ?? fallback
    if (typeof value !== 'number' || !(Math.abs(value) <= MAX_SHIFT))
      throw fault(`has a ${key} that is not a number`)
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
  let bytes: Buffer | null
  try {
    // The decoder's folder lies in the model's, or is one that the sheet names.
    bytes = readInside(file, { root: dirname(folder), maxBytes: MAX_BYTES })
  } catch (error) {
    throw new PregenError('E_PREVIEW_DECODER', `${file} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
  return bytes === null ? TINY_DECODER_DEFAULTS : parsePreviewDecoderConfig(bytes.toString('utf8'), file)
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
    const [batch, given = 0, ...space] = latents.dims
    // Latents of a video are checked as a picture that is so many times as high.
    const height = space.slice(0, -1).reduce((product, side) => product * side, 1)
    latentSize(latents.data, [batch ?? 0, given, height, space.at(-1) ?? 0])
    checkChannels(channels, given, 'The weights of the preview decoder')
    if (scalingFactor === 1 && shiftFactor === 0) return await run(latents)
    return await run({
      data: latents.data.map((value) => value / scalingFactor + shiftFactor),
      dims: latents.dims,
    })
  }
}

/** A decoder of pictures for videos too: frame by frame, each as if it stood alone. */
export function framewise(decode: DecodeLatents): DecodeLatents {
  return async (latents) => {
    const [, channels = 0, frames = 0, h = 0, w = 0] = latents.dims
    if (latents.dims.length !== 5) return await decode(latents)
    const pictures: Float32Array[] = []
    let size: readonly number[] = []
    for (let frame = 0; frame < frames; frame++) {
      const data = frameOf(latents.data, latents.dims, frame)
      const picture = await decode({ data, dims: [1, channels, h, w] })
      // What a session gives is another's at its next run.
      pictures.push(picture.data.slice())
      size = picture.dims.slice(1)
    }
    const data = new Float32Array(pictures.reduce((sum, picture) => sum + picture.length, 0))
    for (const [frame, picture] of pictures.entries()) data.set(picture, frame * picture.length)
    return { data, dims: [frames, ...size] }
  }
}

/** The latents of a video's middle frame, as a picture's: [1, C, h, w]. @param dims [1, C, frames, h, w] */
export function middleFrame(
  latents: Float32Array,
  dims: readonly number[],
): { readonly data: Float32Array; readonly dims: readonly [number, number, number, number] } {
  const [, channels = 0, frames = 1, h = 0, w = 0] = dims
  return { data: frameOf(latents, dims, Math.floor((frames - 1) / 2)), dims: [1, channels, h, w] }
}

/** One frame's latents, [C, h, w]. @param dims [1, C, frames, h, w] */
export function frameOf(
  latents: Float32Array,
  [, channels = 0, frames = 0, ...plane]: readonly number[],
  frame: number,
): Float32Array {
  const size = plane.reduce((product, side) => product * side, 1)
  const own = new Float32Array(channels * size)
  for (let channel = 0; channel < channels; channel++) {
    const from = (channel * frames + frame) * size
    own.set(latents.subarray(from, from + size), channel * size)
  }
  return own
}
