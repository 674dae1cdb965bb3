import { existsSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FamilyFacts } from '../../src/families/family.ts'
import { familyOf } from '../../src/families/index.ts'
import { loadInitImage, toModelInput } from '../../src/images/init-image.ts'
import { loadMask } from '../../src/images/mask.ts'
import { checkModelFolder } from '../../src/model/check.ts'
import { modelFacts } from '../../src/model/facts.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import type { GenerateRequest, Pipeline } from '../../src/pipelines/pipeline.ts'
import { runSheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { unpackInpainting } from './inpainting-cases.ts'
import {
  arrayOf,
  comparePixels,
  type ExtraGolden,
  encodeGolden,
  maxAbs,
  openPipeline,
  relativeRms,
  schedulerOf,
} from './oracle.ts'
import { record, writeRecords } from './parity-records.ts'

const { cases, modelOf, filesOf } = unpackInpainting()
const MODELS = [...new Set(cases.map(({ model }) => model))]
const IN_CHANNELS_9 = MODELS.filter((name) => name.includes('inpaint'))
const { folder: scratch } = createScratch()

afterAll(() => writeRecords('inpainting'))

async function requestsOf(pipeline: Pipeline, golden: ExtraGolden): Promise<GenerateRequest[]> {
  const { image, mask } = filesOf(golden)
  const { inpainting }: FamilyFacts = familyOf(pipeline.family)
  return await Promise.all(
    golden.requests.map(async (params) => {
      const { width, height, num_inference_steps: steps, guidance_scale: guidanceScale } = params
      const size = { width, height, fit: 'fill' } as const
      return {
        ...{
          conditioning: await encodeGolden(pipeline, params),
          seed: BigInt(params.seed),
          rng: 'torch-cpu',
        },
        ...{ width, height, steps, guidanceScale, scheduler: schedulerOf(golden) },
        denoiseStrength: params.strength ?? inpainting!.strength,
        initImage: toModelInput(await loadInitImage({ ...size, source: image })),
        mask: (await loadMask({ ...size, source: mask })).values,
      } satisfies GenerateRequest
    }),
  )
}

describe.each(MODELS)('%s', (model) => {
  let pipeline: Pipeline
  beforeAll(async () => {
    pipeline = openPipeline(modelOf(model))
    await pipeline.loadTextEncoders()
    await pipeline.loadDenoiser({ withVaeEncoder: true })
  })
  afterAll(() => pipeline.dispose())

  test.each(cases.filter((golden) => golden.model === model))('$case is diffusers’', async (golden) => {
    const requests = await requestsOf(pipeline, golden)
    const expected = arrayOf(golden, 'latents_per_call')!
    const calls = golden.timesteps.length
    const size = expected.length / calls
    const firstCall = golden.scheduler_timesteps.length - calls
    const worst: number[] = []
    const images = await pipeline.generate(requests, {
      onStep({ callIndex, latents }) {
        const call = callIndex - firstCall
        worst.push(maxAbs(latents, expected.subarray(call * size, (call + 1) * size)))
      },
    })
    expect(worst.length).toBeGreaterThan(0)
    const isHalf = model.endsWith('fp16')
    const spread = Math.max(...expected.map(Math.abs))
    expect(Math.max(...worst) / spread).toBeLessThan(isHalf ? 1e-2 : 1e-4)
    const final = images.flatMap(({ latents }) => [...latents.data])
    const rms = relativeRms(final, expected.subarray(-size))
    expect(rms).toBeLessThan(isHalf ? 3e-3 : 1e-4)
    for (const [index, png] of golden.pngs.entries()) {
      const pixels = await comparePixels(join(golden.folder, png), images[index]!.frames[0].rgb)
      record({ family: pipeline.family, golden, latents: Math.max(...worst), rms, pixels })
      expect.soft(pixels.worst, 'worst pixel').toBeLessThanOrEqual(8)
      expect.soft(pixels.beyondOne, 'pixels off by more than 1').toBeLessThan(0.001)
    }
  })

  test('pictures of a batch are those drawn alone', async () => {
    const golden = cases.find((each) => each.model === model)!
    const [first] = await requestsOf(pipeline, golden)
    const other: GenerateRequest = { ...first!, seed: 99n, mask: first!.mask!.toReversed() }
    const together = await pipeline.generate([first!, other])
    for (const [index, each] of [first!, other].entries()) {
      const [alone] = await pipeline.generate([each])
      const far = relativeRms(together[index]!.latents.data, alone!.latents.data)
      expect(far).toBeLessThan(model.endsWith('fp16') ? 3e-3 : 1e-4)
    }
    // With and without a mask are two ways, and cannot share a call.
    await expect(pipeline.generate([first!, { ...other, mask: undefined }])).rejects.toThrow(RangeError)
  })
})

describe('a UNet of 9 channels', () => {
  test.each(IN_CHANNELS_9)('%s passes the checks and is known as such', async (model) => {
    const folder = readModelFolder(modelOf(model))
    await checkModelFolder(folder)
    expect(await modelFacts(folder)).toMatchObject({ needsMask: true, latentChannels: 4 })
  })

  test('draws nothing without a mask', async () => {
    const pipeline = openPipeline(modelOf('sd15-inpaint-tiny'))
    await pipeline.loadTextEncoders()
    await pipeline.loadDenoiser()
    const golden = cases.find(({ model }) => model === 'sd15-inpaint-tiny')!
    const [request] = await requestsOf(pipeline, golden)
    const bare = { ...request!, initImage: undefined, mask: undefined, denoiseStrength: undefined }
    await expect(pipeline.generate([bare])).rejects.toMatchObject({ code: 'E_MASK_NEEDED' })
    await pipeline.dispose()
  })
})

test('where the mask is black the picture of a plain UNet is the picture’s own latents', async () => {
  const pipeline = openPipeline(modelOf('sd15-tiny'))
  await pipeline.loadTextEncoders()
  await pipeline.loadDenoiser({ withVaeEncoder: true })
  const golden = cases.find((each) => each.model === 'sd15-tiny' && each.case === 'default')!
  const [request] = await requestsOf(pipeline, golden)
  const black = { ...request!, mask: new Float32Array(64 * 64) }
  const [kept] = await pipeline.generate([black])
  const [other] = await pipeline.generate([{ ...black, steps: 3, guidanceScale: 1 }])
  expect(other!.latents.data).toEqual(kept!.latents.data)
  await pipeline.dispose()
})

describe('masks', () => {
  const maskOf = async (name: string, options: Parameters<typeof sharp>[1], bytes: Uint8Array) => {
    const source = join(scratch, name)
    await sharp(bytes, options).png().toFile(source)
    return source
  }

  test('are white from 128 on, of any kind of picture', async () => {
    const greys = Uint8Array.of(0, 127, 128, 255)
    const grey = await maskOf('grey.png', { raw: { width: 2, height: 2, channels: 1 } }, greys)
    const size = { width: 2, height: 2 }
    expect([...(await loadMask({ source: grey, ...size })).values]).toEqual([0, 0, 1, 1])
    // Pillow's grey: 0.299 red, 0.587 green, 0.114 blue.
    const colours = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0)
    const rgb = await maskOf('rgb.png', { raw: { width: 2, height: 2, channels: 3 } }, colours)
    expect([...(await loadMask({ source: rgb, ...size })).values]).toEqual([0, 1, 0, 1])
  })

  test('are brought to size as the picture is', async () => {
    const wide = Uint8Array.from({ length: 32 * 16 }, (_, index) => (index % 32 < 16 ? 0 : 255))
    const source = await maskOf('wide.png', { raw: { width: 32, height: 16, channels: 1 } }, wide)
    const { values } = await loadMask({ source, width: 16, height: 16, fit: 'cover' })
    expect(values.reduce((sum, value) => sum + value, 0)).toBe(128)
    await expect(loadMask({ source, width: 16, height: 16 })).rejects.toMatchObject({
      code: 'E_IMAGE_ASPECT',
    })
  })
})

describe('through the command line', () => {
  const pictured = cases.filter(({ pngs, model }) => pngs.length > 0 && !model.endsWith('fp16'))
  const out = join(scratch, 'out')

  beforeAll(async () => {
    const cues = pictured.map((golden) => {
      const [params] = golden.requests
      const { width, height, num_inference_steps: steps, guidance_scale } = params!
      const { name, config } = schedulerOf(golden)
      const scheduler = { ...(name === undefined ? {} : { name }), ...config }
      const cue = {
        ...{ program: 'P0', model: golden.model, width, height, steps, guidance_scale, fit: 'fill' },
        ...{ prompt: params!.prompt, negative_prompt: params!.negative_prompt, ...filesOf(golden) },
        batch: golden.pngs.length,
        seeds: golden.requests.map(({ seed }) => seed),
        ...(params!.strength === undefined ? {} : { denoise_strength: params!.strength }),
        ...(Object.keys(scheduler).length === 0 ? {} : { scheduler }),
      }
      return [`${golden.model}-${golden.case}`, cue]
    })
    const sheet = await writeSheet(scratch, {
      version: 'v',
      models: Object.fromEntries(MODELS.map((name) => [name, modelOf(name)])),
      programs: { P0: {} },
      cues: Object.fromEntries(cues),
    })
    const { status, stderr, events } = await runSheet(sheet, out)
    expect([status, events.filter(({ type }) => type === 'unit-failed'), stderr]).toEqual([0, [], ''])
  })

  test.each(pictured)('$model $case is diffusers’ picture', async (golden) => {
    for (const [index, png] of golden.pngs.entries()) {
      const unit = `${golden.model}-${golden.case}/seed-${golden.requests[index]!.seed}`
      const path = join(out, 'foigoi/v/cues', unit, 'final.png')
      expect(existsSync(path), path).toBe(true)
      const rgb = new Uint8Array(await sharp(path).removeAlpha().raw().toBuffer())
      const distance = await comparePixels(join(golden.folder, png), rgb)
      expect(distance.worst).toBeLessThanOrEqual(8)
      expect(distance.beyondOne).toBeLessThan(0.001)
    }
  })

  test('a mask that was replaced is drawn in anew; one of one colour is warned of', async () => {
    const golden = cases.find(({ model }) => model === 'sd15-tiny')!
    const { image } = filesOf(golden)
    const mask = join(scratch, 'own.png')
    const plain = (grey: number) =>
      sharp({ create: { width: 64, height: 64, channels: 3, background: { r: grey, g: grey, b: grey } } })
        .png()
        .toFile(mask)
    await plain(255)
    const cue = { program: 'P0', prompt: 'x', seeds: [1], image, fit: 'fill' }
    const sheet = await writeSheet(
      scratch,
      {
        version: 'v',
        models: { m: modelOf('sd15-tiny') },
        defaults: { model: 'm', steps: 1, width: 64, height: 64 },
        programs: { P0: {} },
        cues: { with: { ...cue, mask }, without: { ...cue, denoise_strength: 1 } },
      },
      'replaced.yaml',
    )
    const again = join(scratch, 'replaced')
    const drawn = async () => {
      const { events, status } = await runSheet(sheet, again)
      expect(status).toBe(0)
      const units = events.flatMap((event) => (event.type === 'unit-finished' ? [event.cue] : []))
      const warned = events.flatMap((event) =>
        event.type === 'warning' && event.code === 'W_MASK_UNIFORM' ? [event.message] : [],
      )
      return { units: units.sort(), warned }
    }
    const white = 'with/seed-1: its mask is white all over: the whole picture is drawn anew.'
    expect(await drawn()).toEqual({ units: ['with', 'without'], warned: [white] })
    await plain(0)
    const black = 'with/seed-1: its mask is black all over: nothing is drawn anew.'
    expect(await drawn()).toEqual({ units: ['with'], warned: [black] })
    expect(await drawn()).toMatchObject({ units: [] })
  })
})
