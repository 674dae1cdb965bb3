/**
 * Drawing anew within a mask, with UNets trained for it (latents, mask and masked picture as input) and with any other
 * (the picture put back around the mask after each call). After diffusers' StableDiffusionInpaintPipeline and
 * StableDiffusionXLInpaintPipeline.
 */

import { PregenError } from '../errors.ts'
import type { Schedule } from '../families/schedule.ts'
import { needsMask } from '../model/facts.ts'
import { roundToHalves } from '../tensor/float16.ts'
import { createTensor, type Tensor } from '../tensor/tensor.ts'
import { createDraws, inHalf, type StartLatents, startLatents } from './latents.ts'
import type { ImageModels } from './models.ts'
import type { GenerateRequest } from './pipeline.ts'
import { encodeImage } from './vae.ts'

type PlaneDims = readonly [batch: number, channels: number, height: number, width: number]

export interface UNetStart extends StartLatents {
  /** What a UNet for inpainting takes beside the latents: [batch, 1 + channels, height, width]; null: it takes none. */
  readonly appended: Tensor | null
  /** Puts the picture back where it is kept, at the level of the next call; null where nothing is. */
  readonly afterCall: ((latents: Float32Array, call: number) => void) | null
}

/**
 * Where a UNet's batch starts: as `startLatents` says, or within masks. diffusers draws, for each picture: the posterior
 * of the picture (with a UNet for inpainting only below strength 1), the noise, and the posterior of the masked picture,
 * also where nothing uses it.
 * @throws PregenError E_MASK_NEEDED for a UNet for inpainting without a mask
 */
export async function startUNet(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  dims: PlaneDims,
  { scheduler, firstCall }: Pick<Schedule, 'scheduler' | 'firstCall'>,
): Promise<UNetStart> {
  const isForInpainting = needsMask(models.folder)
  if (requests.every(({ mask }) => mask === undefined)) {
    if (isForInpainting) throw maskNeeded()
    const start = await startLatents(models, requests, dims, { scheduler, firstCall })
    return { ...start, appended: null, afterCall: null }
  }
  const [batch, channels, height, width] = dims
  const plane = height * width
  const size = channels * plane
  const half = inHalf(requests)
  const draws = createDraws(requests, scheduler, half)
  const latents = new Float32Array(batch * size)
  const originals = new Float32Array(batch * size)
  const noises = new Float32Array(batch * size)
  const masks = new Float32Array(batch * plane)
  const beside = new Float32Array(isForInpainting ? batch * (size + plane) : 0)

  for (const [index, request] of requests.entries()) {
    const { mask, initImage, denoiseStrength = 1 } = request
    if (mask === undefined || initImage === undefined) throw new RangeError('a mask needs a picture')
    const draw = draws.of(index)
    const encode = async (pixels: Float32Array): Promise<Float32Array> => {
      const encoded = await encodeImage(models, { ...request, initImage: pixels }, draw)
      return half ? roundToHalves(encoded) : encoded
    }
    const isNoise = denoiseStrength === 1
    const own = (values: Float32Array) => values.subarray(index * size, (index + 1) * size)
    if (!isForInpainting || !isNoise) own(originals).set(await encode(initImage))
    const noise = draw(own(noises))
    own(latents).set(
      isNoise
        ? noise.map((value) => value * scheduler.initNoiseSigma)
        : scheduler.addNoise(own(originals), noise, firstCall, half),
    )
    const ownMask = masks.subarray(index * plane, (index + 1) * plane)
    ownMask.set(latentMask(mask, { ...request, columns: width, rows: height }))
    const masked = await encode(withoutMasked(initImage, mask))
    if (isForInpainting) {
      const at = index * (size + plane)
      beside.set(ownMask, at)
      beside.set(masked, at + plane)
    }
  }
  if (half) roundToHalves(latents)
  const afterCall = (values: Float32Array, call: number): void => {
    const isLast = call === scheduler.timesteps.length - 1
    const kept = isLast ? originals : scheduler.addNoise(originals, noises, call + 1, half)
    if (half) roundToHalves(kept)
    for (let i = 0; i < values.length; i++) {
      if (masks[Math.floor(i / size) * plane + (i % plane)] === 0) values[i] = kept[i]!
    }
  }
  const appended = isForInpainting ? createTensor(beside, [batch, 1 + channels, height, width]) : null
  return { latents, noise: draws.noise, appended, afterCall: isForInpainting ? null : afterCall }
}

function maskNeeded(): PregenError {
  return new PregenError('E_MASK_NEEDED', 'This model was trained for inpainting, and there is no mask.', {
    help: 'Give it an image and a mask; without them use a model for text to image.',
  })
}

/** The mask's values at the latents' grid: of each square the one at its upper left, as torch's nearest picks. */
function latentMask(
  mask: Float32Array,
  { width, height, columns, rows }: { width: number; height: number; columns: number; rows: number },
): Float32Array {
  if (mask.length !== width * height) throw new RangeError('the mask is not height × width')
  const [across, down] = [width / columns, height / rows]
  return Float32Array.from(
    { length: rows * columns },
    (_, index) => mask[Math.floor(index / columns) * down * width + (index % columns) * across]!,
  )
}

/** The picture with what is to be drawn anew as middle grey. @returns a new array */
function withoutMasked(picture: Float32Array, mask: Float32Array): Float32Array {
  return picture.map((value, index) => (mask[index % mask.length] === 0 ? value : 0))
}
