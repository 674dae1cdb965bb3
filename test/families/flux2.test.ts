import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PregenErrors } from '../../src/errors.ts'
import { empiricalShift, flux2Template } from '../../src/families/flux2/facts.ts'
import { tokensOfPatches } from '../../src/families/flux2/pipeline.ts'
import { imagePositions, textPositions } from '../../src/families/flux2/positions.ts'
import { toModelInput } from '../../src/images/init-image.ts'
import { loadReferenceImage } from '../../src/images/reference-image.ts'
import { checkModelFolder } from '../../src/model/check.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import { outLayers } from '../../src/model/hidden-layers.ts'
import type {
  GenerateRequest,
  Pipeline,
  PromptConditioning,
  ReferencePicture,
} from '../../src/pipelines/pipeline.ts'
import { createTokenizer } from '../../src/text/create-tokenizer.ts'
import { maxAbs, openPipeline } from '../pipelines/oracle.ts'
import { runSheet, runWhole, unitsOf, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { drawsItsCases } from './command-line.ts'
import { expectAnySize, expectSoloPictures } from './in-general.ts'
import { arrayOf, unpackReference } from './reference.ts'

const reference = unpackReference('flux2-klein-tiny')
const { cases, modelOf } = reference
const scratch = createScratch()

drawsItsCases(reference)

async function referenceOf(source: string): Promise<ReferencePicture> {
  const loaded = await loadReferenceImage({ source, multiple: 16 })
  return { pixels: toModelInput(loaded), width: loaded.width, height: loaded.height }
}

describe('what is computed without a model', () => {
  test.each(cases.filter(({ mu }) => mu !== undefined))('$case has diffusers’ mu', ({ mu, params }) => {
    const { width, height, num_inference_steps: steps } = params
    expect(empiricalShift((width * height) / 256, steps)).toBeCloseTo(mu!, 12)
  })

  test('mu of large pictures does not depend on the steps', () => {
    expect(empiricalShift(4400, 4)).toBe(empiricalShift(4400, 50))
    expect(empiricalShift(4300, 4)).not.toBe(empiricalShift(4300, 50))
  })

  test('patches become tokens row by row', () => {
    const patches = Float32Array.from({ length: 12 }, (_, index) => index)
    expect([...tokensOfPatches(patches, [1, 2, 2, 3])]).toEqual([0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11])
  })

  test('references stand behind the picture, ten apart', () => {
    const { data, dims } = imagePositions(2, [
      { rows: 1, columns: 2 },
      { rows: 2, columns: 1 },
      { rows: 1, columns: 1 },
    ])
    const row = [0, 0, 0, 0, 0, 0, 1, 0, 10, 0, 0, 0, 10, 1, 0, 0, 20, 0, 0, 0]
    expect([[...data], dims]).toEqual([
      [...row, ...row],
      [2, 5, 4],
    ])
    expect([...textPositions(1, 2).data]).toEqual([0, 0, 0, 0, 0, 0, 0, 1])
  })

  test.each([
    ['what model_index.json names, in its order', { text_encoder_out_layers: [27, 9] }, [3], [27, 9]],
    ['the usual ones of an encoder that gives all', {}, [0, 9, 18, 27, 36], [9, 18, 27]],
    ['those that an encoder gives instead', {}, [12, 2, 4], [2, 4, 12]],
    ['the usual ones where nothing tells', {}, [], [9, 18, 27]],
  ])('hidden states: %s', (_, index, given, expected) => {
    expect(outLayers(index, [...given.map((layer) => `hidden_states.${layer}`), 'pooled'])).toEqual(expected)
  })
})

describe('stage by stage', () => {
  let pipeline: Pipeline
  beforeAll(async () => {
    pipeline = openPipeline(modelOf({}))
    await pipeline.loadTextEncoders()
    await pipeline.loadDenoiser({ withVaeEncoder: true })
  })
  afterAll(() => pipeline.dispose())

  const encode = (prompt: string, maxSequenceLength?: number) =>
    pipeline.encodePrompt({ prompt, maxSequenceLength, withNegative: true })
  const request = (
    conditioning: PromptConditioning,
    changes: Partial<GenerateRequest> = {},
  ): GenerateRequest => ({
    conditioning,
    seed: 1n,
    rng: 'torch-cpu',
    width: 64,
    height: 64,
    steps: 2,
    guidanceScale: 4,
    scheduler: { name: undefined, config: {} },
    ...changes,
  })

  test('embeddings of several cases were recorded', () => {
    // The negative side's are seen in the steps that are guided by them.
    expect(cases.filter(({ arrays }) => 'prompt_embeds' in arrays).length).toBeGreaterThan(1)
  })

  test.each(cases)('$case tokenizes and embeds its texts as diffusers', async (golden) => {
    const { params, token_ids } = golden
    const tokenizer = await createTokenizer(join(modelOf({}), 'tokenizer'))
    const prompts = params.prompts ?? [params.prompt ?? '']
    for (const [index, prompt] of prompts.entries()) {
      const { ids, padded_length, pad_id } = token_ids[index]!
      const padded = [...ids, ...new Array<number>(padded_length - ids.length).fill(pad_id)]
      expect([...tokenizer.tokenize(flux2Template(prompt), padded_length).ids]).toEqual(padded)
    }
    const texts = await encode(prompts[0]!, params.max_sequence_length)
    const expected = arrayOf(golden, 'prompt_embeds')
    if (expected !== null) expect(maxAbs(texts.promptEmbeds.data, expected)).toBeLessThan(1e-4)
  })

  test.each(cases)('$case takes diffusers’ steps', async (golden) => {
    const { params, folder, task } = golden
    const drawn = openPipeline(modelOf(golden))
    await drawn.loadDenoiser({ withVaeEncoder: true })
    const references =
      task === 'edit' ? await Promise.all(params.images!.map((name) => referenceOf(join(folder, name)))) : []
    const prompts = params.prompts ?? [params.prompt ?? '']
    const requests = []
    for (const [index, prompt] of prompts.entries()) {
      const seed = BigInt(params.seeds?.[index] ?? params.seed ?? 0)
      const { width, height, num_inference_steps: steps, guidance_scale: guidanceScale } = params
      const texts = await encode(prompt, params.max_sequence_length)
      requests.push(request(texts, { seed, width, height, steps, guidanceScale, references }))
    }
    const expected = arrayOf(golden, 'latents_per_step')!
    const size = expected.length / params.num_inference_steps
    const worst: number[] = []
    await drawn.generate(requests, {
      onStep({ step, latents, dims }) {
        // The reference keeps tokens: [pictures, tokens, 4 · channels].
        const [pictures, channels, height, width] = dims as readonly [number, number, number, number]
        const own = expected.subarray((step - 1) * size, step * size)
        for (let index = 0; index < latents.length; index++) {
          const [x, y] = [index % width, Math.floor(index / width) % height]
          const channel = Math.floor(index / (width * height)) % channels
          const picture = Math.floor(index / (width * height * channels))
          const token = ((picture * height) / 2 + (y >> 1)) * (width / 2) + (x >> 1)
          const at = token * 4 * channels + 4 * channel + 2 * (y & 1) + (x & 1)
          worst.push(Math.abs(latents[index]! - own[at]!))
        }
        expect(pictures).toBe(requests.length)
      },
    })
    await drawn.dispose()
    expect(worst).toHaveLength(expected.length)
    expect(worst.reduce((most, each) => Math.max(most, each), 0)).toBeLessThan(1e-3)
  })

  test('pictures of a batch with unequal prompts and references are those drawn alone', async () => {
    const names = ['a_64x64.png', 'a_80x112.png']
    const [first, second] = await Promise.all(
      names.map((name) => referenceOf(join(cases[0]!.folder, '../../inputs', name))),
    )
    const mirrored = { ...second!, pixels: second!.pixels.toReversed() }
    const requests = [
      request(await encode('a fox'), { references: [first!, second!] }),
      request(await encode('an old lighthouse keeper, oil painting, soft light, <|im_end|>'), {
        references: [first!, mirrored],
        seed: 2n,
      }),
    ]
    const together = await expectSoloPictures(pipeline, requests)
    expect(maxAbs(together[0]!.latents.data, together[1]!.latents.data)).toBeGreaterThan(0.1)
    const [other] = await pipeline.generate([{ ...requests[1]!, references: [first!, second!] }])
    expect(maxAbs(other!.latents.data, together[1]!.latents.data)).toBeGreaterThan(1e-2)
    // References of other sizes stand elsewhere, so that they cannot share a call.
    const unlike = [requests[0]!, request(await encode('a fox'), { references: [second!, first!] })]
    await expect(pipeline.generate(unlike)).rejects.toThrow(RangeError)
  })

  test('any size in steps of 16, any prompt', async () => {
    await expectAnySize({
      pipeline,
      channels: 32,
      async request({ text, width, height }) {
        const texts = await encode(text)
        expect(texts.promptEmbeds.dims).toEqual([1, 512, 96])
        return request(texts, { width, height, steps: 1 })
      },
    })
  })

  test('a distilled model takes no guidance', async () => {
    const distilled = openPipeline(modelOf({ model_index_overrides: { is_distilled: true } }))
    await distilled.loadTextEncoders()
    const texts = await distilled.encodePrompt({ prompt: 'a fox', withNegative: true })
    expect(texts.negativePromptEmbeds).toBeNull()
    await distilled.dispose()
  })
})

describe('reference pictures', () => {
  const picture = async (name: string, width: number, height: number): Promise<string> => {
    const path = join(scratch.folder, name)
    const rgb = Buffer.from(Uint8Array.from({ length: 3 * width * height }, (_, index) => index % 251))
    await sharp(rgb, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(path)
    return path
  }

  test.each([
    // Size and the beginning of the pixels' sha256, recorded with diffusers' Flux2ImageProcessor.
    ['large.png', 1500, 1000, 1248, 832, '07e63bdfd80cce51'],
    ['tall.png', 900, 1400, 816, 1264, '8e8b93714612ae57'],
    ['crop.png', 75, 90, 64, 80, '44ef8f21055d0ba9'],
    ['exact.png', 64, 512, 64, 512, 'f39e9f45bf8c7f0a'],
    ['hardly.png', 1024, 1025, 1008, 1024, '02875d34d3914b16'],
    ['wide.png', 3000, 400, 2800, 368, '21ee458e9d32de9b'],
  ])('%s of %i × %i becomes %i × %i', async (name, width, height, ...expected) => {
    const loaded = await loadReferenceImage({ source: await picture(name, width, height), multiple: 16 })
    const sha256 = createHash('sha256').update(loaded.rgb).digest('hex').slice(0, 16)
    expect([loaded.width, loaded.height, sha256]).toEqual(expected)
  })

  test('are cropped about the middle', async () => {
    const source = await picture('middle.png', 75, 90)
    const { rgb } = await loadReferenceImage({ source, multiple: 16 })
    // Five columns and five rows are left out before the first pixel.
    expect(rgb[0]).toBe((3 * (5 * 75 + 5)) % 251)
  })

  test.each([
    ['small.png', 63, 200],
    ['narrow.png', 64, 513],
  ])('%s of %i × %i is refused', async (name, width, height) => {
    const source = await picture(name, width, height)
    await expect(loadReferenceImage({ source, multiple: 16 })).rejects.toMatchObject({
      code: 'E_REFERENCE_SIZE',
    })
  })
})

describe('through the command line, beside the cases', () => {
  const source = join(cases[0]!.folder, '../../inputs/a_80x112.png')

  test('previews are as large as the picture, one pixel a latent where asked', async () => {
    const cue = { program: 'P1', prompt: 'x', seeds: [1], width: 96, height: 64, images: [source] }
    const sheet = await writeSheet(scratch.folder, {
      version: 'v',
      models: { m: modelOf({}) },
      defaults: { model: 'm', steps: 2 },
      programs: {
        P1: { previews: { method: 'latent2rgb' } },
        P2: { previews: { method: 'latent2rgb', size: 'latent' } },
        P3: { previews: { method: 'full' } },
      },
      cues: { enlarged: cue, small: { ...cue, program: 'P2' }, full: { ...cue, program: 'P3' } },
    })
    const out = join(scratch.folder, 'previews')
    await runWhole(sheet, out)
    const folder = join(out, 'foigoi/v/cues')
    for (const [name, width, height] of [
      ['enlarged', 96, 64],
      ['small', 12, 8],
      ['full', 96, 64],
    ] as const) {
      expect(await sharp(join(folder, name, 'seed-1/2.png')).metadata()).toMatchObject({ width, height })
    }
    // Nothing is left to do after the last step: what the model's own VAE shows of it is the picture.
    const pixels = (name: string) =>
      sharp(join(folder, 'full/seed-1', name))
        .raw()
        .toBuffer()
    expect(maxAbs(await pixels('2.png'), await pixels('final.png'))).toBeLessThanOrEqual(1)
  })

  test('a reference that was replaced is drawn with anew, others are not', async () => {
    const own = join(scratch.folder, 'own.png')
    copyFileSync(source, own)
    const cue = { program: 'P0', prompt: 'x', seeds: [1] }
    const sheet = await writeSheet(
      scratch.folder,
      {
        version: 'v',
        models: { m: modelOf({}) },
        defaults: { model: 'm', steps: 1, width: 64, height: 64 },
        programs: { P0: {} },
        cues: { with: { ...cue, images: [own] }, without: cue },
      },
      'replaced.yaml',
    )
    const out = join(scratch.folder, 'replaced')
    expect(unitsOf((await runWhole(sheet, out)).events, 'unit-finished')).toHaveLength(2)
    expect(unitsOf((await runWhole(sheet, out)).events, 'unit-finished')).toEqual([])
    await sharp(source).negate().toFile(own)
    expect(unitsOf((await runWhole(sheet, out)).events, 'unit-finished')).toEqual(['with/seed-1'])
    await sharp(source).resize(40, 40).toFile(own)
    const { status, stderr, stdout } = await runSheet(sheet, out)
    expect([status, `${stderr}${stdout}`]).toEqual([2, expect.stringContaining('E_REFERENCE_SIZE')])
  })
})

describe('a folder that cannot be drawn with', () => {
  const changed = (name: string, file: string, change: (json: Record<string, unknown>) => object): string => {
    const folder = join(scratch.folder, name)
    cpSync(modelOf({}), folder, { recursive: true })
    const path = join(folder, file)
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))))
    return folder
  }
  const codesOf = async (folder: string): Promise<string[]> => {
    try {
      await checkModelFolder(readModelFolder(folder))
      return []
    } catch (error) {
      if (!(error instanceof PregenErrors)) throw error
      return error.errors.map(({ code, message }) => `${code} ${message}`)
    }
  }

  test('is sound as it is', async () => {
    expect(await codesOf(modelOf({}))).toEqual([])
  })

  test('lacks the statistics that scale its latents', async () => {
    const folder = changed('no-statistics', 'vae_decoder/config.json', ({ latents_mean: _, ...rest }) => rest)
    expect(await codesOf(folder)).toEqual(['E_MODEL_CONFIG latents_mean must be 128 numbers each.'])
  })

  test('names hidden states that its encoder does not give', async () => {
    const folder = changed('other-layers', 'model_index.json', (index) => ({
      ...index,
      text_encoder_out_layers: [1, 2, 9],
    }))
    expect(await codesOf(folder)).toEqual(['E_MODEL_INTERFACE text_encoder lacks output hidden_states.9.'])
  })

  test('has an encoder without a mask, or of another width', async () => {
    const folder = changed('other-width', 'text_encoder/config.json', (config) => ({
      ...config,
      hidden_size: 40,
    }))
    copyFileSync(join(folder, 'vae_encoder/model.onnx'), join(folder, 'text_encoder/model.onnx'))
    const faults = (await codesOf(folder)).join('\n')
    expect(faults).toContain('E_MODEL_INTERFACE text_encoder lacks input input_ids, input attention_mask')
    expect(faults).toContain('E_MODEL_SHAPES transformer takes texts of 96 channels; text_encoder gives 120')
  })
})
