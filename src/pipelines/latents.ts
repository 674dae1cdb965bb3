/** Where a batch starts: noise, or a picture's latents with noise on top; drawn in the order in which diffusers draws. */
import type { NoiseSource, Scheduler } from '../diffusion/scheduler.ts'
import { PregenError } from '../errors.ts'
import type { Schedule } from '../families/schedule.ts'
import { sizeMultiple } from '../model/facts.ts'
import { createRandomGenerator } from '../random/create.ts'
import type { RandomGenerator } from '../random/generator.ts'
import { TorchCpuGenerator } from '../random/torch-cpu.ts'
import { roundToHalves } from '../tensor/float16.ts'
import { sizeOf } from '../tensor/tensor.ts'
import type { ImageModels } from './models.ts'
import type { GenerateRequest, LatentDims } from './pipeline.ts'
import { encodeImage } from './vae.ts'

export interface StartOptions extends Pick<Schedule, 'scheduler' | 'firstCall'> {
  /** Whether draws and first latents are half precision; default: where the text encoders compute in it. */
  readonly half?: boolean
}

export interface StartLatents {
  /** In the order of their dims, to be denoised in place. */
  readonly latents: Float32Array
  /** The later draws of the same generators, one per picture, for schedulers that add noise as they go. */
  readonly noise: NoiseSource
}

/** Of pictures: [batch, channels, height, width]. @throws PregenError E_IMAGE_SIZE when the picture's size does not fit the latents' grid */
export function latentDims(
  models: ImageModels,
  requests: readonly GenerateRequest[],
): readonly [number, number, number, number] {
  const { width, height } = requests[0]!
  const multiple = sizeMultiple(models.folder)
  if (width % multiple !== 0 || height % multiple !== 0) {
    throw new PregenError('E_IMAGE_SIZE', `This model cannot make ${width} × ${height} pixels.`, {
      help: `Width and height must be multiples of ${multiple}.`,
    })
  }
  const { scale, latentChannels } = models.vae
  return [requests.length, latentChannels, height / scale, width / scale]
}

/**
 * Text-to-image: noise × initNoiseSigma. Image-to-image: the VAE's posterior sample is drawn first, then the noise that
 * brings it to the level of `firstCall`. Every picture has its own generator, as diffusers with a list of generators.
 * Where the text encoders compute in half precision, draws and first latents have it too, as in diffusers.
 */
export async function startLatents(
  models: ImageModels,
  requests: readonly GenerateRequest[],
  dims: LatentDims,
  { scheduler, firstCall, half = inHalf(requests) }: StartOptions,
): Promise<StartLatents> {
  const size = sizeOf(dims.slice(1))
  const latents = new Float32Array(requests.length * size)
  const draws = createDraws(requests, scheduler, half)

  for (const [index, request] of requests.entries()) {
    const draw = draws.of(index)
    const own = latents.subarray(index * size, (index + 1) * size)
    if (request.initImage === undefined) {
      draw(own)
      for (let i = 0; i < size; i++) own[i] = own[i]! * scheduler.initNoiseSigma
    } else {
      const original = await encodeImage(models, request, draw)
      if (half) roundToHalves(original)
      own.set(scheduler.addNoise(original, draw(new Float32Array(size)), firstCall, half))
    }
  }
  if (half) roundToHalves(latents)
  return { latents, noise: draws.noise }
}

export type Draw = (out: Float32Array) => Float32Array

/** The generators of a batch, one a picture. @param half whether they draw in half precision */
export function createDraws(
  requests: readonly GenerateRequest[],
  { name }: Pick<Scheduler, 'name'>,
  half: boolean,
): { readonly of: (index: number) => Draw; readonly noise: NoiseSource } {
  const draw = half ? drawHalf : drawSingle
  // diffusers' DPM-Solver computes its steps in float32 and draws for them in it, whatever the model's precision.
  const drawForStep = name === 'dpm++2m-sde' ? drawSingle : draw
  const generators = requests.map(({ rng, seed }) => createRandomGenerator(rng, seed))
  return {
    of: (index) => (out) => draw(generators[index]!, out),
    noise(out) {
      const each = out.length / generators.length
      for (const [index, generator] of generators.entries()) {
        drawForStep(generator, out.subarray(index * each, (index + 1) * each))
      }
    },
  }
}

/** Whether diffusers would keep the latents in half precision, which are of the texts' type. */
export function inHalf(requests: readonly GenerateRequest[]): boolean {
  return requests.every(({ conditioning }) => conditioning.half)
}

function drawSingle(generator: RandomGenerator, out: Float32Array): Float32Array {
  return generator.randn(out)
}

function drawHalf(generator: RandomGenerator, out: Float32Array): Float32Array {
  if (generator instanceof TorchCpuGenerator) return generator.randnFloat16(out)
  return roundToHalves(generator.randn(out))
}
