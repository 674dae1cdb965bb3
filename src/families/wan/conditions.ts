/** What a video is drawn from beside its text, encoded: its first and last picture, or another video. */
import { createHash } from 'node:crypto'
import { encodeFrames } from '../../pipelines/clip-encoder.ts'
import type { ImageModels } from '../../pipelines/models.ts'
import type { GenerateRequest, Keyframe, LatentDims, SourceVideo } from '../../pipelines/pipeline.ts'
import { inStage, requireSound } from '../../pipelines/stage.ts'
import { stack } from '../../tensor/join.ts'
import { bytesOfFloats, createTensor, sizeOf, type Tensor } from '../../tensor/tensor.ts'
import type { WanKind } from './kind.ts'

export interface ClipSize {
  readonly frames: number
  readonly framesPerLatent: number
  readonly width: number
  readonly height: number
}

export type Given =
  /** A mask and the encoded video of the pictures, after the latents' channels; and CLIP's states of the pictures. */
  | { readonly kind: 'channels'; readonly condition: Float32Array; readonly vision: Tensor | null }
  /** [batch, channels, 1, h, w]: stands in the first latent frame, at every step. */
  | { readonly kind: 'first frame'; readonly latents: Float32Array }

/** Channels of the mask: one a frame that a latent frame stands for. */
const MASK_CHANNELS = 4

type StopAsked = () => boolean

/** @returns null where the text alone is given */
export async function encodeKeyframes(
  models: ImageModels,
  kind: WanKind,
  requests: readonly GenerateRequest[],
  { dims, stop, ...clip }: ClipSize & { readonly dims: LatentDims; readonly stop: StopAsked },
): Promise<Given | null> {
  const [first] = requests
  if ((first?.keyframes ?? []).length === 0) return null
  const [batch, channels, frames = 1, h = 0, w = 0] = dims
  const keyframesOf = ({ keyframes = [] }: GenerateRequest) => keyframes
  if (kind.expandsTimesteps) {
    const one = { ...clip, frames: 1 }
    const parts: Float32Array[] = []
    for (const request of requests) parts.push(await encodeVideo(models, keyframesOf(request), one, stop))
    return { kind: 'first frame', latents: joined(parts) }
  }
  const own = (MASK_CHANNELS + channels) * frames * h * w
  const condition = new Float32Array(batch * own)
  const mask = maskOf(keyframesOf(first!), [frames, h, w])
  for (const [index, request] of requests.entries()) {
    condition.set(mask, index * own)
    condition.set(await encodeVideo(models, keyframesOf(request), clip, stop), index * own + mask.length)
  }
  const vision = kind.hasVision ? await visionStates(models, requests.flatMap(keyframesOf)) : null
  return { kind: 'channels', condition, vision }
}

/** The latents of a video that drawing starts from: [channels, latent frames, h, w]. */
export function encodeSource(
  models: ImageModels,
  { key, read }: SourceVideo,
  clip: ClipSize,
  stop: StopAsked,
): Promise<Float32Array> {
  return remembered(models, `video ${key} ${clip.frames}`, () =>
    encodeFrames(models, { ...clip, frame: (index) => inputOf(read(index)) }, stop),
  )
}

/** diffusers' (1 − mask) · picture + mask · latents, the mask 0 in the first latent frame. */
export function mixFirstFrame(
  latents: Float32Array,
  picture: Float32Array,
  dims: LatentDims,
  out: Float32Array = new Float32Array(latents.length),
): Float32Array {
  const [batch, channels, frames = 1, ...plane] = dims
  const size = sizeOf(plane)
  if (out !== latents) out.set(latents)
  for (let row = 0; row < batch * channels; row++) {
    out.set(picture.subarray(row * size, (row + 1) * size), row * frames * size)
  }
  return out
}

/** The pictures in their places of a video that is grey elsewhere, encoded. */
function encodeVideo(
  models: ImageModels,
  keyframes: readonly Keyframe[],
  clip: ClipSize,
  stop: StopAsked,
): Promise<Float32Array> {
  const { frames, width, height } = clip
  const pixelsAt = new Map(keyframes.map(({ at, pixels }) => [at === 'first' ? 0 : frames - 1, pixels]))
  const hash = createHash('sha256')
  for (const { at, pixels } of keyframes) hash.update(at).update(bytesOfFloats(pixels))
  const key = `pictures ${hash.digest('hex')} ${width}x${height} ${frames}`
  return remembered(models, key, () =>
    encodeFrames(models, { ...clip, frame: (index) => pixelsAt.get(index) ?? null }, stop),
  )
}

/** [4, frames, h, w]: 1 where a latent frame is given; of the last one its last frame alone. */
function maskOf(
  keyframes: readonly Keyframe[],
  [frames, h, w]: readonly [number, number, number],
): Float32Array {
  const plane = h * w
  const mask = new Float32Array(MASK_CHANNELS * frames * plane)
  for (const { at } of keyframes) {
    for (let channel = at === 'first' ? 0 : MASK_CHANNELS - 1; channel < MASK_CHANNELS; channel++) {
      const frame = channel * frames + (at === 'first' ? 0 : frames - 1)
      mask.fill(1, frame * plane, (frame + 1) * plane)
    }
  }
  return mask
}

/** CLIP's states before its last layer, the pictures of a video one after the other. */
function visionStates({ parts }: ImageModels, keyframes: readonly Keyframe[]): Promise<Tensor> {
  return inStage('image encode', async () => {
    const { image_encoder: session } = parts
    if (session === undefined) throw new Error('the image encoder is not loaded')
    const output = session.outputs[0]?.name ?? ''
    const pictures = keyframes.map(({ vision }) => vision)
    const [first] = pictures
    if (first === null || first === undefined) throw new Error('a picture lacks its values for CLIP')
    const side = Math.sqrt(first.length / 3)
    // Exports for one picture see them one after the other.
    const atOnce = session.input('pixel_values')?.dims[0] === 1 ? 1 : pictures.length
    const input = session.createInput('pixel_values', [atOnce, 3, side, side])
    const seen: Tensor[] = []
    for (let from = 0; from < pictures.length; from += atOnce) {
      for (const [index, values] of pictures.slice(from, from + atOnce).entries()) {
        input.write(values ?? first, index * first.length)
      }
      const { [output]: states } = await session.run([input], [output], { [output]: [atOnce, null, null] })
      if (states === undefined) throw new Error(`the image encoder gave no ${output}`)
      requireSound(states.data, 'The picture’s states')
      seen.push(createTensor(states.data.slice(), states.dims))
    }
    return stack(seen)
  })
}

/** Encoded videos of a loaded model, the newest last: seeds and prompts that share one are drawn one after the other. */
const encoded = new WeakMap<ImageModels['vaeDecoder'], Map<string, Promise<Float32Array>>>()
const MAX_REMEMBERED = 4

function remembered(
  { vaeDecoder }: ImageModels,
  key: string,
  encode: () => Promise<Float32Array>,
): Promise<Float32Array> {
  const known = encoded.get(vaeDecoder) ?? new Map<string, Promise<Float32Array>>()
  encoded.set(vaeDecoder, known)
  const value = known.get(key) ?? encode()
  known.delete(key)
  known.set(key, value)
  if (known.size > MAX_REMEMBERED) known.delete(known.keys().next().value ?? '')
  value.catch(() => known.delete(key))
  return value
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const size = parts[0]?.length ?? 0
  const out = new Float32Array(parts.length * size)
  for (const [index, part] of parts.entries()) out.set(part, index * size)
  return out
}

/** x / 255 · 2 − 1, each operation rounded to float32. */
const normalized = Float32Array.from({ length: 256 }, (_, byte) => Math.fround(byte / 255) * 2 - 1)

/** Interleaved bytes as [3, height, width]. */
function inputOf(rgb: Uint8Array): Float32Array {
  const plane = rgb.length / 3
  const input = new Float32Array(rgb.length)
  for (let i = 0; i < plane; i++) {
    for (let channel = 0; channel < 3; channel++) {
      input[channel * plane + i] = normalized[rgb[3 * i + channel]!]!
    }
  }
  return input
}
