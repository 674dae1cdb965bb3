/**
 * Previews of videos by a tiny decoder that streams (TAEHV): what it remembers of the frames before goes in as `past.i` and comes
 * out as `present.i`, one frame each, zeros before the clip. Memories are small here, so they pass through this process.
 */
import { PregenError } from '../errors.ts'
import type { ModelSession } from '../model/session.ts'
import type { ModelInput } from '../model/session-values.ts'
import { sizeOf, type Tensor } from '../tensor/tensor.ts'

/** A third of the memories at the latents' size, a third at twice it, a third at four times: the decoder's three levels. */
const LEVELS = 3

export function memoriesOf(names: readonly string[]): number {
  return names.filter((name) => /^past\.\d+$/.test(name)).length
}

/**
 * Each latent frame as the last of the frames that it becomes, which is the one that it stands for: the first latent frame is one
 * frame of the video, every other one the last of its four.
 * @returns latents [1, C, h, w] or [1, C, F, h, w] → pictures [F, 3, H, W], −1 … 1
 */
export function createStreamingDecode(session: ModelSession): (latents: Tensor) => Promise<Tensor> {
  const count = memoriesOf(session.inputs.map(({ name }) => name))
  let inputs: readonly ModelInput[] = []
  let shape = ''

  const inputsFor = (channels: number, h: number, w: number): readonly ModelInput[] => {
    const key = `${channels} ${h} ${w}`
    if (key === shape) return inputs
    const memories = Array.from({ length: count }, (_, index) => {
      const side = 2 ** Math.floor((index * LEVELS) / count)
      const width = session.input(`past.${index}`)?.dims?.[1]
      if (typeof width !== 'number') throw unknownMemory(index)
      return session.createInput(`past.${index}`, [1, width, 1, h * side, w * side])
    })
    inputs = [session.createInput('latent_sample', [1, channels, 1, h, w]), ...memories]
    shape = key
    return inputs
  }

  return async ({ data, dims }) => {
    const [, channels = 0, ...rest] = dims
    const [frames = 1, h = 0, w = 0] = rest.length === 3 ? rest : [1, ...rest]
    const [latent, ...memories] = inputsFor(channels, h, w)
    for (const memory of memories) memory.write(new Float32Array(sizeOf(memory.dims)))
    const plane = h * w
    const pictures: Float32Array[] = []
    let size: readonly number[] = []
    for (let frame = 0; frame < frames; frame++) {
      const one = new Float32Array(channels * plane)
      for (let channel = 0; channel < channels; channel++) {
        const from = (channel * frames + frame) * plane
        one.set(data.subarray(from, from + plane), channel * plane)
      }
      latent!.write(one)
      const names = ['sample', ...memories.map((_, index) => `present.${index}`)]
      const outputs = await session.run([latent!, ...memories], names, { sample: [1, 3, null, null, null] })
      const sample = outputs.sample!
      pictures.push(lastFrame(sample))
      size = sample.dims.slice(3)
      for (const [index, memory] of memories.entries()) memory.write(outputs[`present.${index}`]!.data)
    }
    const all = new Float32Array(pictures.reduce((sum, picture) => sum + picture.length, 0))
    for (const [frame, picture] of pictures.entries()) all.set(picture, frame * picture.length)
    return { data: all, dims: [frames, 3, ...size] }
  }
}

/** Its values are 0 … 1 (github.com/madebyollin/taehv), a preview's −1 … 1. */
function lastFrame({ data, dims }: Tensor): Float32Array {
  const [, , frames = 1, height = 0, width = 0] = dims
  const plane = height * width
  const picture = new Float32Array(3 * plane)
  for (let channel = 0; channel < 3; channel++) {
    const from = (channel * frames + frames - 1) * plane
    for (let at = 0; at < plane; at++) picture[channel * plane + at] = 2 * data[from + at]! - 1
  }
  return picture
}

function unknownMemory(index: number): PregenError {
  return new PregenError('E_PREVIEW_DECODER', `The preview decoder does not say how wide past.${index} is.`, {
    help: 'Export it with fixed channels: batch, height and width alone may stay open.',
  })
}
