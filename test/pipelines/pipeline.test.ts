import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SCHEDULER_NAMES } from '../../src/diffusion/scheduler.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import type { ModelSession } from '../../src/model/session.ts'
import { createInput } from '../../src/model/session-values.ts'
import {
  type GenerateRequest,
  type Pipeline,
  type PromptConditioning,
  type PromptRequest,
  requireOneBatch,
} from '../../src/pipelines/pipeline.ts'
import { StageError } from '../../src/pipelines/stage.ts'
import { createStepClock } from '../../src/pipelines/step-clock.ts'
import { createVaeDecoder, framesOf } from '../../src/pipelines/vae.ts'
import { copyModel } from '../model/fixtures.ts'
import { ELEMENT, onnxModel } from '../model/onnx-builder.ts'
import fc from '../support/seed.ts'
import { maxAbs, modelPath, openPipeline } from './oracle.ts'

const PROMPT: PromptRequest = { prompt: 'a fox', withNegative: true }

let sd: Pipeline
let fox: PromptConditioning

beforeAll(async () => {
  sd = openPipeline(modelPath('sd15-tiny'))
  await sd.loadTextEncoders()
  await sd.loadDenoiser({ withVaeEncoder: true })
  fox = await sd.encodePrompt(PROMPT)
})
afterAll(() => sd.dispose())

function request(changes: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    conditioning: fox,
    seed: 1n,
    rng: 'torch-cpu',
    width: 64,
    height: 64,
    steps: 3,
    guidanceScale: 5,
    scheduler: { name: 'euler', config: {} },
    ...changes,
  }
}

async function one(changes: Partial<GenerateRequest> = {}) {
  const [image] = await sd.generate([request(changes)])
  return image!
}

describe('any steps, size, seed and scheduler', () => {
  test('give a picture with one step told per step', async () => {
    const arbitrary = fc.record({
      name: fc.constantFrom(...SCHEDULER_NAMES.filter((name) => name !== 'flow-match-euler')),
      steps: fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 1, max: 12 }) },
        { weight: 1, arbitrary: fc.integer({ min: 13, max: 100 }) },
      ),
      width: fc.integer({ min: 1, max: 6 }).map((n) => 16 * n),
      height: fc.integer({ min: 1, max: 6 }).map((n) => 16 * n),
      seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      guidanceScale: fc.constantFrom(0, 1, 7.5),
    })
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ name, ...settings }) => {
        // The schedule of 50 original steps has no more than 50 to offer.
        const steps = name === 'lcm' || name === 'tcd' ? Math.min(settings.steps, 50) : settings.steps
        const seen: unknown[] = []
        const [image] = await sd.generate(
          [request({ ...settings, steps, scheduler: { name, config: {} } })],
          {
            onStep: ({ step, steps: all, dims, denoised, latents }) => {
              seen.push([step, all, dims, denoised.length - latents.length])
            },
          },
        )
        const dims = [1, 4, settings.height / 8, settings.width / 8]
        expect(seen).toEqual(Array.from({ length: steps }, (_, index) => [index + 1, steps, dims, 0]))
        expect(image!.frames[0].rgb.length).toBe(3 * settings.width * settings.height)
        expect(image!.timings.executedSteps).toBe(steps)
      }),
      { numRuns: 25 },
    )
  })

  test('and the same twice', async () => {
    const scheduler = { name: 'euler-ancestral', config: {} } as const
    const [first, second] = [await one({ scheduler }), await one({ scheduler })]
    expect(second.frames[0].rgb).toEqual(first.frames[0].rgb)
    expect((await one({ scheduler, seed: 2n })).frames[0].rgb).not.toEqual(first.frames[0].rgb)
    expect((await one({ scheduler, rng: 'philox' })).frames[0].rgb).not.toEqual(first.frames[0].rgb)
  })
})

test('a picture does not depend on its neighbours in a batch', async () => {
  const castle = await sd.encodePrompt({ ...PROMPT, prompt: 'a castle' })
  const changes = [{ seed: 1n }, { seed: 2n, conditioning: castle }, { seed: 3n }]
  const scheduler = { name: 'dpm++2m-sde', config: {} } as const
  const together = await sd.generate(changes.map((each) => request({ ...each, scheduler })))
  for (const [index, each] of changes.entries()) {
    const alone = await one({ ...each, scheduler })
    expect(maxAbs(together[index]!.latents.data, alone.latents.data)).toBeLessThan(1e-3)
  }
})

test('requests of one batch must share what the schedule depends on', async () => {
  await expect(sd.generate([request(), request({ steps: 4 })])).rejects.toThrow(RangeError)
  await expect(sd.generate([])).rejects.toThrow(RangeError)
})

describe('image-to-image', () => {
  const initImage = Float32Array.from({ length: 3 * 64 * 64 }, (_, index) => Math.sin(index / 50))

  test.each([
    [10, 0.5, 5],
    [10, 1, 10],
    [3, 0.34, 1],
    [20, 0.05, 1],
  ])('%i steps at strength %f execute %i', async (steps, denoiseStrength, executed) => {
    expect((await one({ steps, denoiseStrength, initImage })).timings.executedSteps).toBe(executed)
  })

  test('a strength that leaves no step is an error that says what to do', async () => {
    await expect(one({ steps: 4, denoiseStrength: 0.2, initImage })).rejects.toMatchObject({
      code: 'E_NO_STEPS',
      help: expect.stringContaining('0.25'),
    })
  })

  test('an LCM model takes strength through its own scheduler alone', async () => {
    const lcm = openPipeline(modelPath('lcm-tiny'))
    await lcm.loadDenoiser({ withVaeEncoder: true })
    await expect(lcm.generate([request({ initImage, denoiseStrength: 0.5 })])).rejects.toMatchObject({
      code: 'E_SCHEDULER_UNSUITED',
    })
    await lcm.dispose()
  })

  test('a picture of the wrong size fails its stage', async () => {
    await expect(one({ initImage: initImage.subarray(3), denoiseStrength: 0.5 })).rejects.toMatchObject({
      stage: 'image encode',
    })
  })
})

test('a stop ends the generation before the next call', async () => {
  let calls = 0
  const generation = sd.generate([request({ steps: 50 })], { shouldStop: () => calls++ >= 2 })
  await expect(generation).rejects.toMatchObject({ code: 'E_CANCELLED' })
  expect(calls).toBe(3)
})

test('time inside hooks is in no duration', async () => {
  let hooksMs = 0
  const began = performance.now()
  const [image] = await sd.generate([request()], {
    async onStep() {
      const called = performance.now()
      await new Promise((resolve) => setTimeout(resolve, 100))
      hooksMs += performance.now() - called
    },
  })
  const wallMs = performance.now() - began
  const { stepDurationsMs, decodeMs } = image!.timings
  expect(stepDurationsMs).toHaveLength(3)
  expect(stepDurationsMs.reduce((sum, ms) => sum + ms, decodeMs)).toBeLessThanOrEqual(wallMs - hooksMs)
})

test('a clock counts laps without what was paused', async () => {
  let now = 0
  const clock = createStepClock(() => now)
  now = 5
  expect(clock.elapsed()).toBe(5)
  expect(clock.lap()).toBe(5)
  now = 7
  await clock.pause(() => {
    now = 100
  })
  now = 103
  expect(clock.lap()).toBe(5)
})

test('full previews are the pixels that the final latents give', async () => {
  const image = await one()
  const [decoded] = await sd.decodeLatents(image.latents.data, [1, 4, 8, 8])
  expect(decoded![0].rgb).toEqual(image.frames[0].rgb)
})

test('a size that the model cannot make is refused', async () => {
  await expect(one({ width: 72 })).rejects.toMatchObject({
    code: 'E_IMAGE_SIZE',
    help: expect.stringContaining('16'),
  })
})

describe('prompts', () => {
  test('what is cut off is quoted, once', async () => {
    const prompt = `${'fox '.repeat(80)}castle`
    const { warnings } = await sd.encodePrompt({ ...PROMPT, prompt })
    expect(warnings).toEqual([
      {
        code: 'W_PROMPT_TRUNCATED',
        message: expect.stringMatching(
          /^The prompt has \d+ tokens and the model reads 77; cut off: ".*castle"$/,
        ),
      },
    ])
  })

  test('a1111: a prompt without weights is the plain one, weights change it, length adds chunks', async () => {
    const plain = await sd.encodePrompt(PROMPT)
    const unweighted = await sd.encodePrompt({ ...PROMPT, promptSyntax: 'a1111' })
    const weighted = await sd.encodePrompt({ ...PROMPT, prompt: 'a (fox:1.5)', promptSyntax: 'a1111' })
    const long = await sd.encodePrompt({ ...PROMPT, prompt: 'a fox, '.repeat(60), promptSyntax: 'a1111' })
    expect(maxAbs(unweighted.promptEmbeds.data, plain.promptEmbeds.data)).toBeLessThan(1e-6)
    expect(maxAbs(weighted.promptEmbeds.data, plain.promptEmbeds.data)).toBeGreaterThan(1e-3)
    expect(long.promptEmbeds.dims[1]! % 77).toBe(0)
    expect(long.promptEmbeds.dims[1]).toBeGreaterThan(77)
    expect(long.negativePromptEmbeds!.dims).toEqual(long.promptEmbeds.dims)
    expect((await one({ conditioning: long })).frames[0].rgb).toHaveLength(3 * 64 * 64)
  })

  test('a1111 is refused where T5 reads the prompt', async () => {
    const sd3 = openPipeline(modelPath('sd3-tiny'))
    await sd3.loadTextEncoders()
    await expect(sd3.encodePrompt({ ...PROMPT, promptSyntax: 'a1111' })).rejects.toMatchObject({
      code: 'E_PROMPT_SYNTAX',
    })
    await sd3.dispose()
  })

  test('negatives are used above guidance 1, and never where guidance is distilled', () => {
    expect([0, 1, 1.01].map((guidanceScale) => sd.usesNegativePrompt({ guidanceScale }))).toEqual([
      false,
      false,
      true,
    ])
    expect(openPipeline(modelPath('lcm-tiny')).usesNegativePrompt({ guidanceScale: 8.5 })).toBe(false)
  })

  test('SDXL: no negative prompt is zeros, an empty one is not', async () => {
    const xl = openPipeline(modelPath('sdxl-tiny'))
    await xl.loadTextEncoders()
    const none = await xl.encodePrompt(PROMPT)
    const empty = await xl.encodePrompt({ ...PROMPT, negativePrompt: '' })
    expect(none.negativePromptEmbeds!.data.every((value) => value === 0)).toBe(true)
    expect(none.negativePooledPromptEmbeds!.data.every((value) => value === 0)).toBe(true)
    expect(empty.negativePromptEmbeds!.data.some((value) => value !== 0)).toBe(true)
    await xl.dispose()
  })
})

/** A decoder's session whose pixels are all `value`. */
function decoderThatGives(value: number, dims = [1, 3, 16, 16]): ModelSession {
  return {
    label: 'vae_decoder',
    provider: 'cpu',
    inputs: [],
    outputs: [],
    input: () => null,
    hasOutput: () => true,
    createInput: (name, dims) => createInput({ name, type: 'float32', dims }, dims),
    async run(_, names) {
      const size = dims.reduce((product, dim) => product * dim, 1)
      const sample = { data: new Float32Array(size).fill(value), dims }
      return Object.fromEntries(names.map((name) => [name, sample])) as Record<
        (typeof names)[number],
        typeof sample
      >
    },
    stream: () => Promise.reject(new Error('a picture’s VAE does not stream')),
    freeOutputs() {},
    dispose: async () => {},
  }
}

test('latents with a time axis decode to frames, in the order of time', async () => {
  const vae = readModelFolder(modelPath('sd15-tiny')).vae
  const decoder = createVaeDecoder(decoderThatGives(0.5, [1, 3, 5, 16, 16]), vae, [1, 4, 2, 2, 2])
  const frames = await decoder.decode(new Float32Array(32).fill(1))
  expect(frames.map(({ width, height, rgb }) => [width, height, rgb.length])).toEqual(
    new Array(5).fill([16, 16, 3 * 16 * 16]),
  )
  // [3, 2 frames, 1, 2]: red 0 1 | 2 3, green 4 5 | 6 7, blue 8 9 | 10 11
  const data = Float32Array.from({ length: 12 }, (_, index) => index)
  expect(framesOf(data, 2).map((frame) => [...frame])).toEqual([
    [0, 1, 4, 5, 8, 9],
    [2, 3, 6, 7, 10, 11],
  ])
})

test('a batch shares everything but prompts of one length, seeds and init images', async () => {
  const long = await sd.encodePrompt({ ...PROMPT, prompt: 'a fox, '.repeat(60), promptSyntax: 'a1111' })
  expect(() => requireOneBatch([request(), request({ seed: 2n, rng: 'philox' })])).not.toThrow()
  for (const other of [{ conditioning: long }, { steps: 4 }, { width: 32 }, { denoiseStrength: 0.5 }]) {
    expect(() => requireOneBatch([request(), request(other)])).toThrow(/may differ in prompts of one length/)
  }
})

describe('broken numbers fail the unit with the stage’s name', () => {
  /** The tiny model with one component replaced by one that answers `operators` of its input. */
  async function withComponent(
    component: 'unet' | 'vae_decoder',
    nodes: readonly (readonly [string, readonly string[], readonly string[]])[],
  ): Promise<unknown> {
    const folder = copyModel('sd15-tiny')
    const [input, output] = component === 'unet' ? ['sample', 'out_sample'] : ['latent_sample', 'sample']
    const others =
      component === 'unet'
        ? [{ name: 'timestep' }, { name: 'encoder_hidden_states', dims: ['b', 't', 32] }]
        : []
    writeFileSync(
      join(folder, component, 'model.onnx'),
      onnxModel({
        inputs: [{ name: input, dims: ['b', 'c', 'h', 'w'] }, ...others],
        outputs: [{ name: output, type: ELEMENT.float32, dims: ['b', 'c', 'h', 'w'] }],
        nodes: nodes.map(([operator, from, to]) => [
          operator,
          from.map((name) => (name === 'in' ? input : name)),
          to.map((name) => (name === 'out' ? output : name)),
        ]),
      }),
    )
    const broken = openPipeline(folder)
    await broken.loadDenoiser()
    const outcome = await broken.generate([request()]).catch((thrown: unknown) => thrown)
    await broken.dispose()
    rmSync(folder, { recursive: true })
    return outcome
  }

  test('NaN from the denoiser', async () => {
    const thrown = await withComponent('unet', [
      ['Sub', ['in', 'in'], ['zero']],
      ['Div', ['zero', 'zero'], ['out']],
    ])
    expect(thrown).toBeInstanceOf(StageError)
    expect(thrown).toMatchObject({
      ...{ code: 'E_NUMERIC_FAULT', stage: 'denoise step 1' },
      help: expect.stringContaining('use an fp32 export of this model'),
    })
    expect((thrown as StageError).message).toBe('denoise step 1: The latents hold NaN values.')
  })

  test('a VAE that gives another shape', async () => {
    const thrown = await withComponent('vae_decoder', [['Identity', ['in'], ['out']]])
    expect(thrown).toMatchObject({
      stage: 'vae decode',
      message: expect.stringContaining('not [1, 3, 64, 64]'),
    })
  })

  test.each([
    ['all zero', 0, 'E_NUMERIC_FAULT'],
    ['infinity', Number.POSITIVE_INFINITY, 'E_NUMERIC_FAULT'],
    ['a picture that is black all over', -1.5, 'E_BLACK_IMAGE'],
  ])('%s from the VAE', async (_, value, code) => {
    const vae = readModelFolder(modelPath('sd15-tiny')).vae
    const decoder = createVaeDecoder(decoderThatGives(value), vae, [1, 4, 2, 2])
    await expect(decoder.decode(new Float32Array(16).fill(1))).rejects.toMatchObject({
      code,
      stage: 'vae decode',
    })
  })
})

test('the denoiser’s sessions free the text encoders’ place, and the pipeline loads again', async () => {
  const pipeline = openPipeline(modelPath('sd15-tiny'))
  await pipeline.loadTextEncoders()
  const conditioning = await pipeline.encodePrompt(PROMPT)
  await pipeline.freeTextEncoders()
  await expect(pipeline.encodePrompt(PROMPT)).rejects.toThrow('loadTextEncoders')
  await pipeline.loadDenoiser()
  const [image] = await pipeline.generate([request({ conditioning })])
  await pipeline.dispose()
  await pipeline.loadDenoiser()
  const [again] = await pipeline.generate([request({ conditioning })])
  expect(again!.frames[0].rgb).toEqual(image!.frames[0].rgb)
  await pipeline.dispose()
})

test('the parity page is the command’s', () => {
  const page = new URL('../../docs/parity.md', import.meta.url)
  expect(existsSync(page)).toBe(true)
  expect(readFileSync(page, 'utf8')).toContain('all within the tolerances')
})
