import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkModelFolder } from '../../src/model/check.ts'
import { modelFacts } from '../../src/model/facts.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import { fixShapes } from './fix-shapes.ts'
import { copyModel, faultsOf } from './fixtures.ts'

const UNET = (rows: number, side = 8) => ({
  sample: [rows, 4, side, side],
  encoder_hidden_states: [rows, 77, null],
  out_sample: [rows, 4, side, side],
})

/** A copy of a model, parts of it with sizes built in. */
function fixedModel(model: string, parts: Readonly<Record<string, Record<string, (number | null)[]>>>) {
  const folder = copyModel(model)
  for (const [component, sizes] of Object.entries(parts)) {
    fixShapes(join(folder, component, 'model.onnx'), sizes)
  }
  return folder
}

const factsOf = async (folder: string) => {
  const read = readModelFolder(folder)
  await checkModelFolder(read)
  return modelFacts(read)
}

describe('sizes that an export has built in', () => {
  test('none in an ordinary one', async () => {
    const { fixed, guidance } = await factsOf(copyModel('sd15-tiny'))
    expect(fixed).toEqual({
      ...{ rows: null, width: null, height: null, imageTokens: null, maxSide: null },
      ...{ sequenceLength: null, longestText: null, textTokens: null, numFrames: null },
      ...{ reference: { width: null, height: null }, scale: 8 },
    })
    expect(guidance).toBe('second-evaluation')
  })

  test('pictures a call, and the size, which is the default too', async () => {
    const { fixed, defaults } = await factsOf(fixedModel('sd15-tiny', { unet: UNET(2, 12) }))
    expect(fixed).toMatchObject({ rows: 2, width: 96, height: 96, textTokens: 77 })
    expect(defaults).toMatchObject({ width: 96, height: 96 })
  })

  test('a timestep for each of two pictures alone', async () => {
    const { fixed } = await factsOf(fixedModel('sd3-tiny', { transformer: { timestep: [2] } }))
    expect(fixed).toMatchObject({ rows: 2 })
  })

  test('a side that the denoiser leaves to the decoder', async () => {
    const parts = {
      unet: { sample: [null, null, 8, null] },
      vae_decoder: { latent_sample: [null, null, null, 12] },
    }
    expect((await factsOf(fixedModel('sd15-tiny', parts))).fixed).toMatchObject({ width: 96, height: 64 })
  })

  test('Stable Diffusion 3 has its CLIPs’ tokens before T5’s, whose place zeros take', async () => {
    const parts = { transformer: { encoder_hidden_states: [null, 77 + 128, null] } }
    expect((await factsOf(fixedModel('sd3-tiny', parts))).fixed).toMatchObject({ sequenceLength: 128 })
  })

  test('the places that Stable Diffusion 3 knows', async () => {
    const folder = copyModel('sd3-tiny')
    const path = join(folder, 'transformer/config.json')
    const config = readModelFolder(folder).components.transformer?.config
    writeFileSync(path, JSON.stringify({ ...config, pos_embed_max_size: 12 }))
    expect((await factsOf(folder)).fixed).toMatchObject({ maxSide: 192 })
  })

  test.each([
    [
      'a decoder for another size',
      { unet: UNET(1), vae_decoder: { latent_sample: [1, 4, 16, 16] } },
      /vae_decoder is made for pictures of 128 × 128 alone, unet for 64 × 64/,
    ],
    [
      'a decoder for two',
      { vae_decoder: { latent_sample: [2, 4, null, null] } },
      /vae_decoder takes 2 pictures a call/,
    ],
    [
      'inputs for different numbers',
      { unet: { sample: [1, 4, 8, 8], encoder_hidden_states: [2, 77, null] } },
      /unet has inputs for 1 and for 2 pictures/,
    ],
    [
      'a second decoder input for two',
      { vae_encoder: { sample: [2, null, null, null] } },
      /vae_encoder takes 2 pictures a call/,
    ],
    [
      'a decoder that gives another size',
      { vae_decoder: { latent_sample: [1, 4, 8, 8], sample: [1, 3, 96, 96] } },
      /vae_decoder is made for pictures of 96 × 96 alone, vae_decoder for 64 × 64/,
    ],
    [
      'a denoiser for a shorter text',
      { unet: { encoder_hidden_states: [null, 64, null] } },
      /unet takes texts of 64 tokens; the tokenizer gives 77/,
    ],
    [
      'a shorter text',
      { text_encoder: { input_ids: [1, 16] } },
      /text_encoder takes texts of 16 tokens; its tokenizer gives 77/,
    ],
  ])('%s is refused', async (_, parts, message) => {
    const folder = fixedModel('sd15-tiny', parts)
    const faults = await faultsOf(() => checkModelFolder(readModelFolder(folder)))
    expect(faults.map(({ code }) => code)).toEqual(['E_MODEL_FIXED_SHAPES'])
    expect(faults[0]?.message).toMatch(message)
  })
})

test('an encoder and a denoiser for texts of unequal length are refused, where padding is read', async () => {
  const parts = {
    text_encoder_3: { input_ids: [1, 128] },
    transformer: { encoder_hidden_states: [null, 77 + 256, null] },
  }
  const faults = await faultsOf(() => checkModelFolder(readModelFolder(fixedModel('sd3-tiny', parts))))
  expect(faults.map(({ code, message }) => `${code} ${message}`)).toEqual([
    'E_MODEL_FIXED_SHAPES Parts of the model are made for texts of 128 and of 256 tokens.',
  ])
})
