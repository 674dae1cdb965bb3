/** On the CPU the pictures of a batch are, to the byte, the same drawn alone: for this `batch` is in no unit's digest. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { GenerateRequest } from '../../src/pipelines/pipeline.ts'
import { groupBy } from '../../src/run/group-by.ts'
import { unpackReference } from '../families/reference.ts'
import fc from '../support/seed.ts'
import { assembleModel, ORACLE, openPipeline } from './oracle.ts'

const oracle = (name: string) => join(ORACLE, 'models', name)
const packed = (name: string) => unpackReference(name).modelOf({})

const MODELS: readonly (readonly [name: string, path: string, settings: Partial<GenerateRequest>])[] = [
  ['Stable Diffusion', oracle('sd15-tiny'), {}],
  ['Stable Diffusion in half precision', assembleModel('sd15-fp16'), {}],
  ['SDXL', oracle('sdxl-tiny'), {}],
  ['LCM', oracle('lcm-tiny'), {}],
  ['Stable Diffusion 3', oracle('sd3-tiny'), {}],
  ['FLUX.1 dev', assembleModel('flux-dev-tiny'), { trueCfgScale: 2 }],
  ['Chroma', packed('chroma-tiny'), {}],
  ['FLUX.2', packed('flux2-klein-tiny'), {}],
  ['Z-Image', packed('zimage-tiny'), {}],
  ['Qwen-Image', packed('qwenimage-tiny'), { trueCfgScale: 4 }],
]

const side = fc.constantFrom(64, 96, 128)
const words = fc.constantFrom('a', 'fox', 'lighthouse', 'oil painting,', 'rain', '雪')
const texts = fc.array(words, { maxLength: 30 }).map((some) => some.join(' '))
const pictures = fc.array(fc.record({ prompt: texts, seed: fc.nat(99) }), { minLength: 2, maxLength: 5 })

it.each(MODELS)('of %s', { timeout: 120_000 }, async (_name, path, settings) => {
  // Two threads share a product out in other ways when it has more rows.
  const pipeline = openPipeline(path, 2)
  await pipeline.loadTextEncoders()
  await pipeline.loadDenoiser()
  let compared = 0
  await fc.assert(
    fc.asyncProperty(
      side,
      side,
      pictures,
      fc.constantFrom(0, 4),
      async (width, height, batch, guidanceScale) => {
        const rest = {
          ...{ rng: 'torch-cpu' as const, steps: 2, width, height, guidanceScale, ...settings },
          scheduler: { name: undefined, config: {} },
        } as const
        const withNegative = pipeline.usesNegativePrompt({ ...rest, negativePrompt: 'blurry' })
        const requests: GenerateRequest[] = []
        for (const { prompt, seed } of batch) {
          const conditioning = await pipeline.encodePrompt({ prompt, negativePrompt: 'blurry', withNegative })
          requests.push({ ...rest, conditioning, seed: BigInt(seed) })
        }
        // As the plan of a run does it.
        for (const group of groupBy(requests, (one) => pipeline.sharedTokens(one.conditioning)).values()) {
          const together = await pipeline.generate(group)
          const rgb = together.map(({ frames: [image] }) => Buffer.from(image.rgb))
          const latents = together.map((one) => Float32Array.from(one.latents.data))
          for (const [place, request] of group.entries()) {
            const [alone] = await pipeline.generate([request])
            expect(Float32Array.from(alone!.latents.data)).toEqual(latents[place])
            expect(Buffer.from(alone!.frames[0].rgb).equals(rgb[place]!)).toBe(true)
            if (group.length > 1) compared++
          }
        }
      },
    ),
    // The same batch twice, so that those whose texts must be equally long have some of each kind.
    {
      numRuns: 3,
      examples: [
        [
          64,
          96,
          [
            { prompt: 'a fox', seed: 1 },
            { prompt: 'a fox', seed: 2 },
          ],
          4,
        ],
      ],
    },
  )
  expect(compared).toBeGreaterThan(1)
  await pipeline.dispose()
})
