import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attentionMask } from '../../src/families/chroma/pipeline.ts'
import type { GenerateRequest, Pipeline, PromptConditioning } from '../../src/pipelines/pipeline.ts'
import { maxAbs, openPipeline } from '../pipelines/oracle.ts'
import { drawsItsCases } from './command-line.ts'
import { expectAnySize, expectSoloPictures } from './in-general.ts'
import { arrayOf, unpackReference } from './reference.ts'

const reference = unpackReference('chroma-tiny')

drawsItsCases(reference)

describe('the attention mask', () => {
  test.each([
    [8, 3, [1, 1, 1, 1, 0, 0, 0, 0]],
    [8, 1, [1, 1, 0, 0, 0, 0, 0, 0]],
    [8, 7, [1, 1, 1, 1, 1, 1, 1, 1]],
    [8, 8, [1, 1, 1, 1, 1, 1, 1, 1]],
  ])('of %i places with %i tokens shows the first pad', (length, tokens, expected) => {
    expect([...attentionMask(length, tokens, 2).data]).toEqual([...expected, 1, 1])
  })
})

describe('stage by stage', () => {
  let pipeline: Pipeline
  beforeAll(async () => {
    pipeline = openPipeline(reference.modelOf({}))
    await pipeline.loadTextEncoders()
    await pipeline.loadDenoiser({ withVaeEncoder: true })
  })
  afterAll(() => pipeline.dispose())

  const encode = (prompt: string, negativePrompt?: string, maxSequenceLength?: number) =>
    pipeline.encodePrompt({ prompt, negativePrompt, maxSequenceLength, withNegative: true })
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

  test('embeddings of several cases were recorded, each side’s', () => {
    for (const [name, least] of [
      ['prompt_embeds', 4],
      ['negative_prompt_embeds', 2],
    ] as const) {
      const recorded = reference.cases.filter(({ arrays }) => name in arrays)
      expect(recorded.length, name).toBeGreaterThanOrEqual(least)
    }
  })

  test.each(reference.cases)('$case embeds and masks its texts as diffusers', async (golden) => {
    const { params } = golden
    const prompts = params.prompts ?? [params.prompt ?? '']
    for (const [index, prompt] of prompts.entries()) {
      const texts = await encode(prompt, params.negative_prompt, params.max_sequence_length)
      const sides = [
        ['prompt', texts.promptEmbeds, texts.promptTokens],
        ['negative_prompt', texts.negativePromptEmbeds, texts.negativePromptTokens],
      ] as const
      for (const [name, embeds, tokens] of sides) {
        const length = embeds!.dims[1]!
        const expected = arrayOf(golden, `${name}_embeds`)
        const size = embeds!.data.length
        if (expected !== null) {
          const own = expected.subarray(index * size, (index + 1) * size)
          expect(maxAbs(embeds!.data, own), name).toBeLessThan(1e-4)
        }
        const mask = arrayOf(golden, `${name}_attention_mask`)
        // Recorded of every case; the negative side where it was evaluated.
        if (name === 'prompt') expect(mask).not.toBeNull()
        const own = mask?.subarray(index * length, (index + 1) * length)
        if (own !== undefined) expect(attentionMask(length, tokens!, 0).data).toEqual(own)
      }
    }
  })

  test('pictures of a batch with unequal prompts are those drawn alone', async () => {
    const texts = [
      await encode('a fox', 'blurry'),
      await encode('an old lighthouse keeper holding a lantern, oil painting, soft light'),
      await encode('', 'low quality, watermark, text, frame'),
    ]
    const requests = texts.map((each, index) => request(each, { seed: BigInt(index), height: 80 }))
    await expectSoloPictures(pipeline, requests)
  })

  test('any size in steps of 16, any prompt', async () => {
    await expectAnySize({
      pipeline,
      channels: 16,
      async request({ text, negative, ...size }) {
        const texts = await encode(text, negative)
        expect(texts.promptEmbeds.dims[1]).toBe(512)
        return request(texts, { ...size, steps: 1 })
      },
    })
  })

  test('a prompt beyond T5’s length says what was cut', async () => {
    const { warnings, promptTokens } = await encode(`${'fox '.repeat(2000)}castle`)
    expect(promptTokens).toBe(512)
    expect(warnings).toMatchObject([{ code: 'W_PROMPT_TRUNCATED' }])
  })

  test('texts that were encoded without the negative side cannot be guided', async () => {
    const texts = await pipeline.encodePrompt({ prompt: 'a fox', withNegative: false })
    expect(texts.negativePromptEmbeds).toBeNull()
    await expect(pipeline.generate([request(texts)])).rejects.toThrow(RangeError)
    await expect(pipeline.generate([request(texts, { guidanceScale: 1 })])).resolves.toHaveLength(1)
  })
})
