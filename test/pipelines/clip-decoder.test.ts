/** Decoding piece by piece, with sessions that count: what is carried is held twice at most, however long the video. */
import { expect, test } from 'vitest'
import type { CarriedValues } from '../../src/model/carried-values.ts'
import type { VaeFacts } from '../../src/model/folder.ts'
import type { ModelSession, StreamCall } from '../../src/model/session.ts'
import { createInput } from '../../src/model/session-values.ts'
import { createClipDecoder } from '../../src/pipelines/clip-decoder.ts'
import { encodeFrames } from '../../src/pipelines/clip-encoder.ts'

const VAE: VaeFacts = {
  scale: 2,
  latentChannels: 1,
  scalingFactor: 1,
  shiftFactor: 0,
  latentsMean: [0],
  latentsStd: [1],
}

interface Counts {
  held: number
  most: number
  readonly inputs: number[][]
}

/** Gives `give(input)` and carries a value on, counting how many are alive. */
function playSession(
  counts: Counts,
  give: (input: number[]) => { data: number[]; dims: number[] },
): ModelSession {
  return {
    label: 'vae',
    provider: 'cpu',
    inputs: [],
    outputs: [],
    input: () => null,
    hasOutput: () => true,
    createInput: (name, dims) => createInput({ name, type: 'float32', dims }, dims),
    run: () => Promise.reject(new Error('it streams')),
    async stream({ inputs, past }: StreamCall) {
      const values = [...(inputs[0]!.tensor.data as Float32Array)]
      counts.inputs.push(values)
      counts.held++
      counts.most = Math.max(counts.most, counts.held)
      past?.free()
      let isFreed = false
      const carried: CarriedValues = {
        tensors: [],
        free() {
          if (!isFreed) counts.held--
          isFreed = true
        },
      }
      const { data, dims } = give(values)
      return { output: { data: Float32Array.from(data), dims }, carried }
    },
    freeOutputs() {},
    dispose: async () => {},
  }
}

const frameOf = (value: number) => new Array<number>(3 * 4).fill(value)

function playDecoder(counts: Counts) {
  const vaeDecoder = playSession(counts, ([value]) => ({ data: frameOf(value!), dims: [1, 3, 1, 2, 2] }))
  const withPast = playSession(counts, ([value]) => ({
    // [3, 4 frames, 2, 2]
    data: new Array<number>(3 * 4 * 4).fill(value!),
    dims: [1, 3, 4, 2, 2],
  }))
  return { vae: VAE, vaeDecoder, parts: { vae_decoder_with_past: withPast } }
}

test.each([1, 2, 21])(
  '%i latent frames are decoded one by one, and no more is held for more of them',
  async (latentFrames) => {
    const counts: Counts = { held: 0, most: 0, inputs: [] }
    const decoder = createClipDecoder(playDecoder(counts), [1, 1, latentFrames, 1, 1])
    const levels: number[] = []
    const latents = Float32Array.from({ length: latentFrames }, (_, index) => (index + 1) / 100)
    await decoder.stream(latents, ({ rgb }, index) => {
      expect(index).toBe(levels.length)
      levels.push(rgb[0]!)
    })
    expect(levels).toHaveLength(4 * (latentFrames - 1) + 1)
    expect([...levels].sort((a, b) => a - b)).toEqual(levels)
    expect(counts.inputs).toHaveLength(latentFrames)
    expect(counts.most).toBeLessThanOrEqual(2)
    expect(counts.held).toBe(0)
  },
)

test('what is carried is freed when a frame cannot be taken, and when the video is given up', async () => {
  const counts: Counts = { held: 0, most: 0, inputs: [] }
  const decoder = createClipDecoder(playDecoder(counts), [1, 1, 5, 1, 1])
  const latents = new Float32Array(5).fill(0.5)
  const full = () => Promise.reject(new Error('disk full'))
  await expect(decoder.stream(latents, full)).rejects.toThrow('vae decode: disk full')
  let asked = 0
  const stop = () => ++asked > 2
  await expect(decoder.stream(latents, () => undefined, stop)).rejects.toMatchObject({ code: 'E_CANCELLED' })
  expect(counts.held).toBe(0)
})

test('frames that stay grey are written once, and the means alone are taken', async () => {
  const counts: Counts = { held: 0, most: 0, inputs: [] }
  const encoder = (frames: number) =>
    playSession(counts, (values) => ({ data: [values[0]!, 9], dims: [1, 2, frames, 1, 1] }))
  const models = { vae: VAE, vaeEncoder: encoder(1), parts: { vae_encoder_with_past: encoder(1) } }
  const picture = new Float32Array(12).fill(0.25)
  const asked: number[] = []
  const latents = await encodeFrames(models, {
    ...{ frames: 9, width: 2, height: 2, framesPerLatent: 4 },
    frame(index) {
      asked.push(index)
      return index === 0 ? picture : null
    },
  })
  expect([...latents]).toEqual([0.25, 0, 0])
  expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  expect(counts.inputs.map((values) => values.length)).toEqual([12, 48, 48])
  expect([counts.most, counts.held]).toEqual([2, 0])
})
