import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readModelFolder } from '../../src/model/folder.ts'
import { resolveProvider } from '../../src/model/providers.ts'
import { createPipeline } from '../../src/pipelines/create-pipeline.ts'
import type { GenerateRequest, Pipeline } from '../../src/pipelines/pipeline.ts'

interface Golden {
  readonly file: string
  readonly prompt: string
  readonly negative_prompt?: string
  readonly seed: number
  readonly width: number
  readonly height: number
  readonly steps: number
  readonly guidance_scale: number
}

const root = join(import.meta.dirname, '../..')
const folder = join(root, 'test/fixtures/backdrop-goldens')
const { goldens }: { goldens: Golden[] } = JSON.parse(readFileSync(join(folder, 'goldens.json'), 'utf8'))

describe("the embedded model, against optimum's ORTStableDiffusion3Pipeline", () => {
  let pipeline: Pipeline
  beforeAll(async () => {
    expect(existsSync(join(root, 'models/backdrop/transformer/model.onnx'))).toBe(true)
    const provider = await resolveProvider('cpu')
    pipeline = createPipeline(readModelFolder(join(root, 'models/backdrop')), { provider })
    await pipeline.loadTextEncoders()
    await pipeline.loadDenoiser()
  })
  afterAll(() => pipeline.dispose())

  const draw = async (golden: Golden, seed = golden.seed): Promise<Uint8Array> => {
    const {
      prompt,
      negative_prompt: negativePrompt,
      width,
      height,
      steps,
      guidance_scale: guidanceScale,
    } = golden
    const withNegative = pipeline.usesNegativePrompt({ guidanceScale })
    const conditioning = await pipeline.encodePrompt({ prompt, negativePrompt, withNegative })
    const request: GenerateRequest = {
      ...{ conditioning, width, height, steps, guidanceScale },
      seed: BigInt(seed),
      rng: 'torch-cpu',
      scheduler: { config: {} },
    }
    const [image] = await pipeline.generate([request])
    return image!.frames[0].rgb
  }

  it('has ten goldens', () => expect(goldens).toHaveLength(10))

  it.each(goldens)('$file: "$prompt", seed $seed, $width × $height', async (golden) => {
    const expected = await sharp(join(folder, golden.file)).removeAlpha().raw().toBuffer()
    const drawn = await draw(golden)
    expect(drawn.length).toBe(expected.length)
    const differences = drawn.map((value, at) => Math.abs(value - expected[at]!))
    const close = differences.filter((difference) => difference <= 1).length / differences.length
    expect(close).toBeGreaterThanOrEqual(0.999)
    expect(Math.max(...differences)).toBeLessThanOrEqual(8)
  })

  it('draws a seed twice alike, and another seed otherwise', async () => {
    const golden = goldens[1]!
    const [first, again, other] = [
      await draw(golden),
      await draw(golden),
      await draw(golden, golden.seed + 1),
    ]
    expect(Buffer.compare(first, again)).toBe(0)
    const changed = first.filter((value, at) => Math.abs(value - other[at]!) > 8).length / first.length
    expect(changed).toBeGreaterThan(0.05)
  })
})
