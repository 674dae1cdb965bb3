import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pipeline } from '../../src/pipelines/pipeline.ts'
import {
  arrayOf,
  assembleModel,
  comparePixels,
  encodeGolden,
  extraGoldensOf,
  extraModels,
  maxAbs,
  openPipeline,
  relativeRms,
  requestOf,
} from './oracle.ts'
import { record, writeRecords } from './parity-records.ts'

afterAll(() => writeRecords('extra'))

describe.each(extraModels())('%s', (model) => {
  let pipeline: Pipeline
  beforeAll(async () => {
    pipeline = openPipeline(assembleModel(model))
    await pipeline.loadTextEncoders()
    await pipeline.loadDenoiser({ withVaeEncoder: true })
  })
  afterAll(() => pipeline.dispose())

  test.each(extraGoldensOf(model))('$case gives the reference’s pictures', async (golden) => {
    const requests = []
    for (const params of golden.requests) {
      requests.push(await requestOf(golden, params, await encodeGolden(pipeline, params)))
    }
    const expected = arrayOf(golden, 'latents_per_step')!
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
    const final = images.flatMap(({ latents }) => [...latents.data])
    const rms = relativeRms(final, expected.subarray(-size))
    for (const [index, image] of images.entries()) {
      const pixels = await comparePixels(join(golden.folder, golden.pngs[index]!), image.frames[0].rgb)
      record({ family: pipeline.family, golden, latents: Math.max(...worst), rms, pixels })
      expect.soft(pixels.worst, 'worst pixel').toBeLessThanOrEqual(8)
      expect.soft(pixels.beyondOne, 'pixels off by more than 1').toBeLessThan(0.001)
    }
    // Half precision: the reference itself moves by up to 2.5e-3 from one release of ONNX Runtime to the next.
    expect(rms).toBeLessThan(model.endsWith('fp16') || model.endsWith('mixed') ? 3e-3 : 1e-3)
  })
})
