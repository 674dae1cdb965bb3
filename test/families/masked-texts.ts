/** What families share that mask what pads a batch's shorter prompts (Z-Image, Qwen-Image). */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { GenerateRequest, Pipeline, PromptConditioning } from '../../src/pipelines/pipeline.ts'
import { createTokenizer } from '../../src/text/create-tokenizer.ts'
import { initImageOf, maxAbs, openPipeline } from '../pipelines/oracle.ts'
import { expectAnySize, expectSoloPictures } from './in-general.ts'
import { arrayOf, picturesOf, type Reference, type ReferenceCase } from './reference.ts'

interface MaskedFamily {
  readonly reference: Reference
  /** The prompt within its template. */
  readonly template: (prompt: string) => string
  /** Settings under which guidance acts. */
  readonly guided: Partial<GenerateRequest>
  /** Tokens that the model reads by default. */
  readonly tokens: number
  /** Latents as the reference has them, in the order of the pipeline's. */
  readonly unpack: (latents: Float32Array, golden: ReferenceCase, pictures: number) => Float32Array
}

export function checkMaskedFamily({ reference, template, guided, tokens, unpack }: MaskedFamily): void {
  let pipeline: Pipeline
  beforeAll(async () => {
    pipeline = openPipeline(reference.modelOf({}))
    await pipeline.loadTextEncoders()
    await pipeline.loadDenoiser({ withVaeEncoder: true })
  })
  afterAll(() => pipeline.dispose())

  const request = (
    conditioning: PromptConditioning,
    changes: Partial<GenerateRequest> = {},
  ): GenerateRequest => ({
    ...{ conditioning, seed: 1n, rng: 'torch-cpu', width: 64, height: 64, steps: 2, guidanceScale: 0 },
    ...{ scheduler: { name: undefined, config: {} }, ...guided, ...changes },
  })
  const encode = (prompt: string, negativePrompt = '', maxSequenceLength?: number) =>
    pipeline.encodePrompt({ prompt, negativePrompt, maxSequenceLength, withNegative: true })

  describe('stage by stage', () => {
    test.each(reference.cases)('$case tokenizes as the reference', async (golden) => {
      const tokenizer = await createTokenizer(join(reference.modelOf({}), 'tokenizer'))
      for (const [index, { prompt }] of picturesOf(golden).entries()) {
        const { ids } = golden.token_ids[index]!
        expect(tokenizer.encode(template(prompt)).slice(0, ids.length)).toEqual(ids)
      }
    })

    test.each(reference.cases)('$case embeds its texts, starts and steps as diffusers', async (golden) => {
      const { params } = golden
      const requests: GenerateRequest[] = []
      const settings = settingsOf(golden)
      for (const [index, { prompt, seed }] of picturesOf(golden).entries()) {
        const withNegative = pipeline.usesNegativePrompt({
          ...settings,
          negativePrompt: params.negative_prompt,
        })
        const conditioning = await pipeline.encodePrompt({
          prompt,
          negativePrompt: params.negative_prompt,
          maxSequenceLength: params.max_sequence_length,
          withNegative,
        })
        for (const [name, { data, dims }] of [
          ['prompt_embeds', conditioning.promptEmbeds],
          ['negative_prompt_embeds', conditioning.negativePromptEmbeds ?? { data: [], dims: [] }],
        ] as const) {
          const own = embedsOf(golden, name, index)
          // Recorded of every case; the negative side where it was evaluated.
          if (name === 'prompt_embeds') expect(own).not.toBeNull()
          if (own !== null && dims.length > 0) {
            expect(maxAbs(data, own.subarray(0, data.length)), name).toBeLessThan(1e-4)
          }
        }
        const image = params.images?.[0]
        const { width, height } = params
        const initImage =
          image === undefined ? undefined : await initImageOf(golden, { width, height, image })
        requests.push(request(conditioning, { ...settings, width, height, seed: BigInt(seed), initImage }))
      }
      const expected = arrayOf(golden, 'latents_per_step')!
      const steps = golden.arrays.latents_per_step!.shape[0]!
      const size = expected.length / steps
      const far: number[] = []
      await pipeline.generate(requests, {
        onStep({ step, latents }) {
          const own = expected.subarray((step - 1) * size, step * size)
          far.push(maxAbs(latents, unpack(own, golden, requests.length)))
        },
      })
      expect(far).toHaveLength(steps)
      expect(Math.max(...far)).toBeLessThan(1e-3)
    })
  })

  describe('in general', () => {
    test('pictures of a batch with unequal prompts are those drawn alone', async () => {
      const texts = [
        await encode('a fox', 'blurry'),
        await encode('an old lighthouse keeper holding a lantern, oil painting, soft light', ' '),
        await encode('', 'low quality, watermark, text, frame'),
        await encode('a fox '.repeat(200), ''),
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
          expect(texts.promptEmbeds.dims[1]).toBeLessThanOrEqual(tokens)
          return request(texts, { ...size, steps: 1, ...ONE_STEP })
        },
      })
    })

    test('a prompt beyond the length says what was cut, without the template', async () => {
      const { warnings, promptEmbeds } = await encode(`${'fox '.repeat(2000)}castle`)
      expect(promptEmbeds.dims[1]).toBe(tokens)
      expect(warnings).toMatchObject([{ code: 'W_PROMPT_TRUNCATED' }])
      expect(warnings[0]!.message).toMatch(/castle"$/)
    })

    test('a batch is guided as a whole, and texts without the negative side cannot be', async () => {
      const plain = await pipeline.encodePrompt({ prompt: 'a fox', withNegative: false })
      const both = [request(await encode('a fox')), request(plain)]
      await expect(pipeline.generate(both)).rejects.toThrow(RangeError)
    })
  })
}

/** shift_terminal needs two steps. */
const ONE_STEP = { scheduler: { name: undefined, config: { shift_terminal: null } } } as const

function settingsOf({ params, scheduler }: ReferenceCase) {
  return {
    steps: params.num_inference_steps,
    guidanceScale: params.guidance_scale ?? 1,
    trueCfgScale: params.true_cfg_scale,
    cfgNormalization: params.cfg_normalization === undefined ? undefined : Number(params.cfg_normalization),
    cfgTruncation: params.cfg_truncation,
    denoiseStrength: params.strength,
    scheduler: { name: undefined, config: scheduler.overrides },
  }
}

function embedsOf(golden: ReferenceCase, name: string, picture: number): Float32Array | null {
  const own = arrayOf(golden, `${name}.${picture}`)
  if (own !== null) return own
  const all = arrayOf(golden, name)
  const pictures = picturesOf(golden).length
  return all?.subarray((picture * all.length) / pictures, ((picture + 1) * all.length) / pictures) ?? null
}
