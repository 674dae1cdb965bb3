import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import {
  createPreviewDecoder,
  type DecodeLatents,
  parsePreviewDecoderConfig,
  readPreviewDecoderConfig,
} from '../../src/preview/decoder.ts'
import { imageOfTensor } from '../../src/preview/image-of-tensor.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'

const fixtures = fileURLToPath(new URL('../fixtures/preview/', import.meta.url))

describe('createPreviewDecoder', () => {
  it("draws what diffusers' AutoencoderTiny draws, from its own export", async () => {
    const golden: {
      latents: { dims: number[]; values: number[] }
      decoded_rgb: { width: number; height: number; bytes: number[] }
    } = JSON.parse(readFileSync(`${fixtures}golden.json`, 'utf8'))
    const session = await InferenceSession.create(`${fixtures}preview_decoder/model.onnx`)
    const run: DecodeLatents = async ({ data, dims }) => {
      const { sample } = await session.run({ latent_sample: new OrtTensor('float32', data, dims) })
      if (!(sample?.data instanceof Float32Array)) throw new TypeError('the export gave no float32 sample')
      return { data: sample.data, dims: sample.dims }
    }
    const decode = createPreviewDecoder(run, 4, await readPreviewDecoderConfig(`${fixtures}preview_decoder`))
    const { dims, values } = golden.latents
    const image = imageOfTensor(await decode({ data: Float32Array.from(values), dims }))
    await session.release()

    const { width, height, bytes } = golden.decoded_rgb
    expect([image.width, image.height]).toEqual([width, height])
    expect(Math.max(...bytes) - Math.min(...bytes)).toBeGreaterThan(20)
    // torch's convolutions sum in another order: a pixel near a rounding edge may move by one level.
    const apart = bytes.map((level, i) => Math.abs(level - image.rgb[i]!))
    expect(Math.max(...apart)).toBeLessThanOrEqual(1)
    expect(apart.filter((levels) => levels > 0).length).toBeLessThan(bytes.length * 0.005)
  })

  const seen: Tensor[] = []
  const spy: DecodeLatents = async (latents) => {
    seen.push(latents)
    return { data: new Float32Array(3), dims: [1, 3, 1, 1] }
  }

  it('feeds model-space latents as they are, unless the config scales them', async () => {
    const latents = { data: Float32Array.of(1, -2), dims: [1, 2, 1, 1] }
    await createPreviewDecoder(spy, 2)(latents)
    expect(seen.pop()).toBe(latents)
    const config = { scalingFactor: 0.5, shiftFactor: 0.25, latentChannels: 2 }
    await createPreviewDecoder(spy, 2, config)(latents)
    expect(seen.pop()).toEqual({ data: Float32Array.of(2.25, -3.75), dims: [1, 2, 1, 1] })
    expect(latents.data).toEqual(Float32Array.of(1, -2))
  })

  it('refuses a decoder of another latent space before it runs', async () => {
    const config = { scalingFactor: 1, shiftFactor: 0, latentChannels: 4 }
    expect(() => createPreviewDecoder(spy, 16, config)).toThrow(
      expect.objectContaining({
        code: 'E_PREVIEW_CHANNELS',
        message: expect.stringMatching(/for 4 .* have 16/),
      }),
    )
    const decode = createPreviewDecoder(spy, 16)
    await expect(decode({ data: new Float32Array(4), dims: [1, 4, 1, 1] })).rejects.toMatchObject({
      code: 'E_PREVIEW_CHANNELS',
    })
    expect(seen).toEqual([])
  })
})

describe('parsePreviewDecoderConfig', () => {
  it.each([
    ['{"_class_name": "AutoencoderTiny"}', { scalingFactor: 1, shiftFactor: 0, latentChannels: undefined }],
    [
      '{"_class_name": "AutoencoderTiny", "latent_channels": 16, "scaling_factor": 1.0, "shift_factor": 0.0}',
      { scalingFactor: 1, shiftFactor: 0, latentChannels: 16 },
    ],
    [
      '{"scaling_factor": 1.5305, "shift_factor": 0.0609}',
      { scalingFactor: 1.5305, shiftFactor: 0.0609, latentChannels: undefined },
    ],
    [
      '{"scaling_factor": null, "shift_factor": null}',
      { scalingFactor: 1, shiftFactor: 0, latentChannels: undefined },
    ],
    [
      '{"_class_name": "AutoencoderKL"}',
      { scalingFactor: 0.18215, shiftFactor: 0, latentChannels: undefined },
    ],
  ])('reads %s', (text, expected) => {
    expect(parsePreviewDecoderConfig(text, 'config.json')).toEqual(expected)
  })

  it.each([
    ['', /is not JSON/],
    ['[]', /not a JSON object/],
    ['{"scaling_factor": "1"}', /scaling_factor that is not a number/],
    ['{"scaling_factor": 0}', /scaling_factor of 0/],
    ['{"latent_channels": "four"}', /latent_channels that is not a number/],
  ])('refuses %s', (text, message) => {
    expect(() => parsePreviewDecoderConfig(text, 'config.json')).toThrow(
      expect.objectContaining({ code: 'E_PREVIEW_DECODER', message: expect.stringMatching(message) }),
    )
  })

  it('takes a folder without a config as AutoencoderTiny, and no other fault for that', async () => {
    expect(await readPreviewDecoderConfig(`${fixtures}nowhere`)).toEqual({
      scalingFactor: 1,
      shiftFactor: 0,
      latentChannels: undefined,
    })
    await expect(readPreviewDecoderConfig(`${fixtures}golden.json`)).rejects.toMatchObject({
      code: 'E_PREVIEW_DECODER',
    })
  })
})
