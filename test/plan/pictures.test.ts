/** `image` and `images` against what the model's family can do with them. */
import { describe, expect, it } from 'vitest'
import { groupIntoBatches } from '../../src/plan/batches.ts'
import { digestOfParts, digestParts, explainChange } from '../../src/plan/digest.ts'
import { expandUnits } from '../../src/plan/expand.ts'
import type { ModelFacts } from '../../src/plan/model-facts.ts'
import { faultsFrom, parse } from '../cue-sheet/helpers.ts'
import { SD_FACTS, SD3_FACTS } from './helpers.ts'

const SCHEDULER = {
  _class_name: 'FlowMatchEulerDiscreteScheduler',
  use_dynamic_shifting: true,
}
const FLUX2: ModelFacts = {
  ...SD3_FACTS,
  family: 'flux2',
  latentChannels: 32,
  sizeMultiple: 16,
  schedulerConfig: SCHEDULER,
  hasVaeEncoder: true,
}
const SD3: ModelFacts = { ...SD3_FACTS, hasVaeEncoder: true }

function plan(cue: string, { facts = FLUX2, defaults = '' } = {}) {
  const sheet = parse(
    `version: v\nmodels: { m: ./m }\nprograms: { P0: {} }\ndefaults: { model: m, steps: 4${defaults} }\ncues:\n  c: { program: P0, prompt: x, ${cue} }\n`,
  )
  return expandUnits(sheet, { m: facts })
}
const codes = (...given: Parameters<typeof plan>) =>
  faultsFrom(() => plan(...given)).map(({ code, message, help }) => [code, message, help] as const)

describe('reference pictures', () => {
  it('become absolute, in their order', () => {
    const { units } = plan('images: [b.png, a.png], seeds: [1]')
    expect(units[0]!.images!.map((path) => path.replace(/^.*\//, ''))).toEqual(['b.png', 'a.png'])
    expect(units[0]!.image).toBeUndefined()
    expect(plan('seeds: [1]').units[0]!.images).toBeUndefined()
  })

  it('are a fault of other families, which names those that look at pictures', () => {
    const [fault, ...others] = codes('images: [a.png], seeds: [1]', { facts: SD3 })
    expect(others).toEqual([])
    expect(fault![0]).toBe('E_SETTING_UNSUITED')
    expect(fault![1]).toMatch(
      /^cues\.c\.images has no meaning: Stable Diffusion 3, 3\.5 looks at no pictures/,
    )
    expect(fault![2]).toContain('FLUX.2 klein')
  })

  it('wait in defaults for models that look at them', () => {
    const options = { facts: SD3, defaults: ', images: [a.png]' }
    const { units, warnings } = plan('seeds: [1]', options)
    expect([units[0]!.images, warnings]).toEqual([undefined, []])
    expect(plan('seeds: [1]', { defaults: ', images: [a.png]' }).units[0]!.images).toHaveLength(1)
  })

  it('need a VAE encoder', () => {
    const facts = { ...FLUX2, hasVaeEncoder: false }
    expect(codes('images: [a.png], seeds: [1]', { facts }).map(([code]) => code)).toEqual([
      'E_NO_VAE_ENCODER',
    ])
  })

  it.each(['images: []', 'images: a.png', 'images: [1]', `images: [${'a, '.repeat(17)}]`])(
    'are a list of paths: %s is none',
    (images) => {
      expect(codes(`${images}, seeds: [1]`)[0]![0]).toBe('E_BAD_VALUE')
    },
  )

  it('may be URLs, of https alone', () => {
    const [fault] = codes('images: [a.png, "ftp://x/y.png"], seeds: [1]')
    expect(fault!.slice(0, 2)).toEqual(['E_IMAGE_URL_SCHEME', 'cues.c.images[1] is "ftp://x/y.png".'])
    expect(plan('images: ["https://x.org/y.png"], seeds: [1]').units[0]!.images).toEqual([
      'https://x.org/y.png',
    ])
  })

  it('decide the digest, in their order; units without any keep theirs', () => {
    const { units } = plan('images: [a.png, b.png], seeds: [1]')
    const context = { modelFingerprint: 'm', imageSha256: undefined, renderVersion: 1 }
    const parts = (imagesSha256?: string[]) => digestParts(units[0]!, { ...context, imagesSha256 })
    expect(parts()).not.toHaveProperty('imagesSha256')
    expect(digestOfParts(parts(['1', '2']))).not.toBe(digestOfParts(parts(['2', '1'])))
    expect(explainChange(parts(['1', '2']), parts(['1', '3']))).toBe('reference pictures changed')
  })

  it('are shared by the pictures of a batch', () => {
    const { units } = plan(
      'batch: 4, images: [a.png], variants: { a: { seed: 1 }, b: { seed: 2 }, c: { seed: 3, images: [b.png] } }',
    )
    const batches = groupIntoBatches(
      units.map((unit) => ({ unit })),
      () => 512,
    )
    expect(batches.map(({ length }) => length)).toEqual([2, 1])
  })
})

describe('a picture to start from', () => {
  it('is a fault of FLUX.2, which points at images', () => {
    const [fault] = codes('image: a.png, seeds: [1]')
    expect(fault![0]).toBe('E_SETTING_UNSUITED')
    expect(fault![1]).toMatch(/^cues\.c\.image has no meaning/)
    expect(fault![2]).toMatch(/^Use "images"/)
  })

  it('is none of Chroma', () => {
    const facts: ModelFacts = { ...FLUX2, family: 'chroma', latentChannels: 16 }
    expect(plan('image: a.png, seeds: [1]', { facts }).units[0]!.image).toBeDefined()
  })
})

describe('a mask', () => {
  const SIZE = 'width: 64, height: 64, seeds: [1]'
  const SDXL: ModelFacts = { ...SD_FACTS, family: 'sdxl' }
  const INPAINTING: ModelFacts = { ...SD_FACTS, needsMask: true }
  const unit = (cue: string, options: Parameters<typeof plan>[1]) =>
    plan(`${cue}, ${SIZE}`, options).units[0]!

  it('becomes absolute, and sets the strength that diffusers has for the family', () => {
    const both = 'image: a.png, mask: b.png'
    expect(unit(both, { facts: SD_FACTS }).mask).toMatch(/\/b\.png$/)
    expect(unit(both, { facts: SD_FACTS })).toMatchObject({ denoiseStrength: 1, executedSteps: 4 })
    expect(unit(both, { facts: SDXL })).toMatchObject({ denoiseStrength: 0.9999, executedSteps: 3 })
    expect(unit(`${both}, denoise_strength: 0.5`, { facts: SDXL }).denoiseStrength).toBe(0.5)
    expect(unit('image: a.png', { facts: SD_FACTS })).toMatchObject({ denoiseStrength: 0.6, mask: undefined })
  })

  it('needs an image, and a family that draws within masks', () => {
    expect(codes(`mask: b.png, ${SIZE}`, { facts: SD_FACTS }).map(([code]) => code)).toEqual(['E_NO_IMAGE'])
    const [fault, ...others] = codes(`image: a.png, mask: b.png, ${SIZE}`, { facts: SD3 })
    expect(others).toEqual([])
    expect(fault![0]).toBe('E_SETTING_UNSUITED')
    expect(fault![1]).toMatch(/^cues\.c\.mask is a setting that the model "m" \(Stable Diffusion 3, 3\.5\)/)
    expect(fault![2]).toMatch(/^Stable Diffusion 1, 2 and SDXL, Turbo have mask\./)
  })

  it('is asked for by models that were trained for it', () => {
    for (const cue of [SIZE, `image: a.png, ${SIZE}`]) {
      expect(codes(cue, { facts: INPAINTING })).toEqual([
        [
          'E_MASK_NEEDED',
          expect.stringContaining('the model "m" was trained for inpainting'),
          expect.stringMatching(/^Set "image" and "mask"/),
        ],
      ])
    }
    expect(unit('image: a.png, mask: b.png', { facts: INPAINTING }).mask).toBeDefined()
  })

  it('decides the digest; units without one keep theirs', () => {
    const masked = unit('image: a.png, mask: b.png', { facts: SD_FACTS })
    const context = { modelFingerprint: 'm', imageSha256: 'i', renderVersion: 1 }
    const parts = (maskSha256?: string) => digestParts(masked, { ...context, maskSha256 })
    expect(parts()).not.toHaveProperty('maskSha256')
    expect(explainChange(parts('1'), parts('2'))).toBe('mask changed')
  })

  it('shares a call with other masks, not with none', () => {
    const variants =
      'a: { seed: 1, mask: b.png }, b: { seed: 2, mask: c.png }, c: { seed: 3, denoise_strength: 1 }'
    const { units } = plan(`batch: 4, image: a.png, width: 64, height: 64, variants: { ${variants} }`, {
      facts: SD_FACTS,
    })
    const batches = groupIntoBatches(
      units.map((each) => ({ unit: each })),
      () => 77,
    )
    expect(batches.map(({ length }) => length)).toEqual([2, 1])
  })
})
