import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createModelSession, createRunMeter } from '../../src/model/session.ts'
import type { GeneratedMedium, Pipeline, PromptConditioning } from '../../src/pipelines/pipeline.ts'
import { prepareSchedule } from '../../src/pipelines/schedule.ts'
import { createRandomGenerator } from '../../src/random/create.ts'
import { createTokenizer } from '../../src/text/create-tokenizer.ts'
import {
  arrayOf,
  CPU,
  comparePixels,
  encodeGolden,
  goldensOf,
  initImageOf,
  maxAbs,
  modelFolder,
  modelPath,
  ORACLE,
  openPipeline,
  relativeRms,
  requestOf,
} from './oracle.ts'
import { record, writeRecords } from './parity-records.ts'

const MODELS = ['sd15-tiny', 'sdxl-tiny', 'sd3-tiny', 'lcm-tiny']

afterAll(() => writeRecords('oracle'))

describe.each(MODELS)('%s', (model) => {
  let pipeline: Pipeline
  beforeAll(async () => {
    pipeline = openPipeline(modelPath(model))
    await pipeline.loadTextEncoders()
    await pipeline.loadDenoiser({ withVaeEncoder: true })
  })
  afterAll(() => pipeline.dispose())

  test.each(goldensOf(model))('$case tokenizes as the reference', async ({ token_ids, params }) => {
    for (const [name, expected] of Object.entries(token_ids)) {
      const tokenizer = await createTokenizer(join(ORACLE, 'models', model, name))
      const { ids, untruncatedLength } = tokenizer.tokenize(params.prompt, expected.max_length)
      expect([...ids]).toEqual(expected.prompt)
      expect(untruncatedLength).toBe(expected.prompt_untruncated_length)
      if (expected.negative_prompt === undefined) continue
      const negative = tokenizer.tokenize(params.negative_prompt ?? '', expected.max_length)
      expect([...negative.ids]).toEqual(expected.negative_prompt)
    }
  })

  test.each(goldensOf(model))('$case embeds its prompts as the reference', async (golden) => {
    const conditioning = await encodeGolden(pipeline, golden.params)
    const pairs = [
      ['prompt_embeds', conditioning.promptEmbeds],
      ['pooled_prompt_embeds', conditioning.pooledPromptEmbeds],
      ['negative_prompt_embeds', conditioning.negativePromptEmbeds],
      ['negative_pooled_prompt_embeds', conditioning.negativePooledPromptEmbeds],
    ] as const
    for (const [name, actual] of pairs) {
      const expected = arrayOf(golden, name)
      expect(actual === null, name).toBe(expected === null)
      if (actual === null || expected === null) continue
      expect(actual.dims).toEqual(golden.arrays[name]!.shape)
      expect(maxAbs(actual.data, expected), name).toBeLessThan(1e-4)
    }
  })

  test.each(goldensOf(model))('$case has the reference’s schedule', async (golden) => {
    const conditioning = emptyConditioning()
    const { scheduler, firstCall } = prepareSchedule(
      modelFolder(model),
      await requestOf(golden, golden.params, conditioning),
    )
    expect(maxAbs(scheduler.timesteps, golden.scheduler_timesteps)).toBeLessThan(1e-3)
    expect(maxAbs(scheduler.timesteps.slice(firstCall), golden.timesteps)).toBeLessThan(1e-3)
    expect(scheduler.initNoiseSigma).toBeCloseTo(golden.init_noise_sigma, 4)
    for (const [index, sigma] of (scheduler.sigmas === null ? [] : (golden.sigmas ?? [])).entries()) {
      expect(Math.abs(scheduler.sigmas![index]! - sigma)).toBeLessThanOrEqual(1e-5 * sigma)
    }
  })

  test.each(goldensOf(model))('$case draws the reference’s numbers', (golden) => {
    const generator = createRandomGenerator('torch-cpu', BigInt(golden.params.seed))
    const draws = golden.rng_draws.map((shape) =>
      generator.randn(new Float32Array(shape.reduce((a, b) => a * b, 1))),
    )
    const expected = arrayOf(golden, 'rng_draws')
    if (expected !== null) {
      expect(
        maxAbs(
          draws.flatMap((draw) => [...draw]),
          expected,
        ),
      ).toBeLessThan(1e-5)
    } else {
      const initial = arrayOf(golden, 'initial_latents')!
      const scaled = draws[0]!.map((value) => value * golden.init_noise_sigma)
      expect(maxAbs(scaled, initial)).toBeLessThan(1e-5 * golden.init_noise_sigma)
    }
  })

  test.each(goldensOf(model).filter(({ task }) => task === 'img2img'))(
    '$case encodes its picture as the reference',
    async (golden) => {
      const meter = createRunMeter()
      const path = modelFolder(model).components.vae_encoder!.modelPath
      const encoder = await createModelSession(path, {
        provider: CPU,
        threads: 1,
        meter,
        label: 'vae_encoder',
      })
      const input = encoder.createInput('sample', [1, 3, golden.params.height, golden.params.width])
      input.write((await initImageOf(golden, golden.params))!)
      const { latent_parameters } = await encoder.run([input], ['latent_parameters'])
      expect(maxAbs(latent_parameters.data, arrayOf(golden, 'vae_latent_parameters')!)).toBeLessThan(1e-3)
      await encoder.dispose()
    },
  )

  test.each(goldensOf(model))('$case gives the reference’s picture', async (golden) => {
    const conditioning = await encodeGolden(pipeline, golden.params)
    const expected = arrayOf(golden, 'latents_per_step')!
    const size = expected.length / golden.timesteps.length
    const firstCall = golden.scheduler_timesteps.length - golden.timesteps.length
    const worst: number[] = []
    const [image] = (await pipeline.generate([await requestOf(golden, golden.params, conditioning)], {
      onStep({ callIndex, latents }) {
        const call = callIndex - firstCall
        worst.push(maxAbs(latents, expected.subarray(call * size, (call + 1) * size)))
      },
    })) as [GeneratedMedium]
    const rms = relativeRms(image.latents.data, expected.subarray(-size))
    const pixels = await comparePixels(join(golden.folder, golden.png), image.frames[0].rgb)
    record({ family: pipeline.family, golden, latents: Math.max(...worst), rms, pixels })
    expect(Math.max(...worst)).toBeLessThan(1e-3)
    expect(rms).toBeLessThan(1e-3)
    expect(pixels.worst).toBeLessThanOrEqual(1)
    expect(pixels.differing).toBeLessThan(0.005)
  })
})

function emptyConditioning(): PromptConditioning {
  const promptEmbeds = { data: new Float32Array(0), dims: [1, 0, 0] }
  return {
    promptEmbeds,
    pooledPromptEmbeds: null,
    negativePromptEmbeds: null,
    negativePooledPromptEmbeds: null,
    half: false,
    warnings: [],
  }
}
