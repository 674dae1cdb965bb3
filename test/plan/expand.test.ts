import { describe, expect, it } from 'vitest'
import { expandUnits } from '../../src/plan/expand.ts'
import type { ModelFacts } from '../../src/plan/model-facts.ts'
import type { Unit } from '../../src/plan/unit.ts'
import { faultsFrom, outline, parse } from '../cue-sheet/helpers.ts'
import { LCM_FACTS, SD_FACTS, SD3_FACTS } from './helpers.ts'

/** The only unit of a one-cue sheet. */
function unitFrom(cue: string, facts: ModelFacts = SD3_FACTS, program = 'P1', rest = ''): Unit {
  const text = `version: v1\n${rest}programs: { P0: {}, P1: {}, P5: { extends: P0 } }\ncues:\n  c: { program: ${program}, prompt: x, seeds: [9], ${cue} }\n`
  const { units } = expandUnits(parse(text), { backdrop: facts })
  expect(units).toHaveLength(1)
  return units[0]!
}

function faultsOfCue(cue: string, facts: ModelFacts = SD3_FACTS, rest = '') {
  return faultsFrom(() => unitFrom(cue, facts, 'P1', rest))
}

describe('defaults', () => {
  it('come from the family and the folder', () => {
    expect(unitFrom('')).toEqual({
      cue: 'c',
      variant: 'seed-9',
      program: 'P1',
      output: 'image',
      model: 'backdrop',
      prompt: 'x',
      negativePrompt: undefined,
      prompt2: undefined,
      negativePrompt2: undefined,
      promptSyntax: 'plain',
      maxSequenceLength: undefined,
      seed: 9n,
      rng: 'torch-cpu',
      steps: 28,
      executedSteps: 28,
      guidanceScale: 7,
      trueCfgScale: undefined,
      cfgNormalization: undefined,
      cfgTruncation: undefined,
      guided: true,
      width: 128,
      height: 128,
      scheduler: { name: undefined, config: {} },
      previews: { method: 'taesd', every: 1, source: 'denoised', size: 'image' },
      image: undefined,
      denoiseStrength: undefined,
      exactCopyMode: false,
      thumbnail: false,
      embedMetadata: false,
      batch: 1,
    })
    expect(unitFrom('', SD_FACTS)).toMatchObject({ steps: 50, guidanceScale: 7.5, width: 512, height: 512 })
  })

  it('give way to the sheet', () => {
    const cue =
      'steps: 4, guidance_scale: 0, width: 64, height: 96, thumbnail: true, rng: philox, batch: 3, embed_metadata: true, negative_prompt: ""'
    expect(unitFrom(cue)).toMatchObject({
      steps: 4,
      executedSteps: 4,
      guidanceScale: 0,
      width: 64,
      height: 96,
      thumbnail: true,
      rng: 'philox',
      batch: 3,
      embedMetadata: true,
      negativePrompt: '',
    })
  })

  it('a1111 is refused where the family reads prompts as they are', () => {
    expect(unitFrom('prompt_syntax: a1111', SD_FACTS).promptSyntax).toBe('a1111')
    expect(faultsOfCue('prompt_syntax: a1111')[0]).toMatchObject({
      code: 'E_PROMPT_SYNTAX',
      location: { line: 4, column: 59 },
      message: expect.stringContaining('Stable Diffusion 3'),
    })
  })

  it('a setting that means nothing to the family is told, but for what defaults and programs set, negative prompts apart', () => {
    const warningsOf = (cue: string, rest = '') => {
      const text = `version: v\n${rest}programs: { P0: {} }\ncues: { c: { program: P0, prompt: x, seeds: [1, 2], ${cue} } }\n`
      return expandUnits(parse(text), { backdrop: LCM_FACTS }).warnings
    }
    expect(warningsOf('negative_prompt: fog, steps: 2')).toMatchObject([
      { code: 'W_SETTING_UNUSED', message: 'cues.c.negative_prompt has no effect: LCM does not read it.' },
    ])
    expect(warningsOf('steps: 2', 'defaults: { prompt_2: y }\n')).toEqual([])
    expect(warningsOf('steps: 2', 'defaults: { negative_prompt: fog }\n')).toMatchObject([
      { code: 'W_SETTING_UNUSED', message: 'defaults.negative_prompt has no effect: LCM does not read it.' },
    ])
    const shared =
      'version: v\nprograms: { P0: { max_sequence_length: 77 } }\ncues: { c: { program: P0, prompt: x, seeds: [1] } }\n'
    expect(expandUnits(parse(shared), { backdrop: LCM_FACTS }).warnings).toEqual([])
  })

  it('a unit without facts is a mistake of the caller', () => {
    const sheet = parse(
      'version: v\nprograms: { P0: {} }\ncues: { c: { program: P0, prompt: x, seeds: [1] } }\n',
    )
    expect(() => expandUnits(sheet, {})).toThrow('no facts were given for the model "backdrop"')
  })
})

describe('order', () => {
  it('is that of the sheet, numeric ids included', () => {
    const text =
      'version: v\nprograms: { P0: {} }\ncues:\n  zoo: { program: P0, prompt: x, variants: { b: , "10": , "2": , a: } }\n  "7": { program: P0, prompt: x, seeds: [2, 1] }\n  art: { program: P0, prompt: x, matrix: { seed: [2, 1], steps: [3, 2] } }\n'
    const { units } = expandUnits(parse(text), { backdrop: SD3_FACTS })
    expect(units.map(({ cue, variant }) => `${cue}/${variant}`)).toEqual([
      ...['zoo/b', 'zoo/10', 'zoo/2', 'zoo/a', '7/seed-2', '7/seed-1'],
      ...['art/2-3', 'art/2-2', 'art/1-3', 'art/1-2'],
    ])
  })
})

describe('axes of a matrix', () => {
  it('are told as text, in the order of the sheet; other variants have none', () => {
    const text =
      'version: v\nprograms: { P0: { prompt_template: "{prompt} {light}" } }\ncues:\n  art: { program: P0, prompt: x, matrix: { light: [at dawn, noon], steps: [3] } }\n'
    const { units } = expandUnits(parse(text), { backdrop: SD3_FACTS })
    expect(units.map(({ axes, prompt }) => [axes, prompt])).toEqual([
      [{ light: 'at dawn', steps: '3' }, 'x at dawn'],
      [{ light: 'noon', steps: '3' }, 'x noon'],
    ])
    expect(unitFrom('').axes).toBeUndefined()
  })
})

describe('previews', () => {
  it('are off for P0 alone, unless asked for', () => {
    expect(unitFrom('', SD3_FACTS, 'P0').previews).toBeNull()
    expect(unitFrom('previews: true', SD3_FACTS, 'P0').previews).toMatchObject({ method: 'taesd' })
    expect(unitFrom('previews: { every: 3 }', SD3_FACTS, 'P0').previews).toMatchObject({ every: 3 })
    expect(unitFrom('', SD3_FACTS, 'P5').previews).not.toBeNull()
    expect(unitFrom('previews: false').previews).toBeNull()
    expect(unitFrom('previews: { method: none }').previews).toBeNull()
  })

  it('auto takes the decoder, else the linear map', () => {
    expect(unitFrom('previews: { method: auto, size: latent, source: latents }').previews).toEqual({
      method: 'taesd',
      every: 1,
      source: 'latents',
      size: 'latent',
    })
    expect(unitFrom('', { ...SD3_FACTS, hasPreviewDecoder: false }).previews!.method).toBe('latent2rgb')
    const named = 'models: { backdrop: { path: m, preview_decoder: d } }\n'
    expect(unitFrom('', { ...SD3_FACTS, hasPreviewDecoder: false }, 'P1', named).previews!.method).toBe(
      'taesd',
    )
    expect(unitFrom('previews: { method: full }').previews!.method).toBe('full')
  })

  it('that the model cannot make are faults, with the reason', () => {
    const bare = { ...SD3_FACTS, hasPreviewDecoder: false }
    const [decoder] = faultsOfCue('previews: { method: taesd }', bare)
    expect(decoder).toMatchObject({ code: 'E_PREVIEW_DECODER', location: { line: 4, column: 54 } })
    const [channels] = faultsOfCue('previews: { method: latent2rgb }', {
      ...bare,
      latentChannels: 12,
      hasLatentRgb: false,
    })
    expect(channels!.code).toBe('E_PREVIEW_CHANNELS')
    expect(channels!.message).toMatch('12 channels and the factors published for sd3 have 16')
    const [factors] = faultsOfCue('', { ...bare, hasLatentRgb: false })
    expect(factors).toMatchObject({ code: 'E_PREVIEW_FACTORS', location: { line: 4, column: 40 } })
    expect(factors!.help).toMatch('calibrate')
  })
})

describe('size', () => {
  it('must fit the model', () => {
    const faults = faultsOfCue('width: 72, height: 136')
    expect(outline(faults)).toEqual(['4:51 E_SIZE_MULTIPLE', '4:63 E_SIZE_MULTIPLE'])
    expect(faults[0]!.message).toMatch('multiples of 16')
    expect(faults[0]!.help).toMatch('80')
  })

  it('has a cap that holds with the default of the other side', () => {
    const [fault] = faultsOfCue('height: 8192', {
      ...SD3_FACTS,
      defaults: { ...SD3_FACTS.defaults, width: 4096 },
    })
    expect(fault).toMatchObject({ code: 'E_TOO_MANY_PIXELS', location: { line: 4, column: 52 } })
  })
})

describe('image-to-image', () => {
  const image = 'image: stage.png'

  it('executes fewer steps, as diffusers counts them', () => {
    expect(unitFrom(`${image}, steps: 28`)).toMatchObject({
      denoiseStrength: 0.6,
      steps: 28,
      executedSteps: 17,
    })
    expect(unitFrom(`${image}, steps: 28, width: 64, height: 64`, SD_FACTS).executedSteps).toBe(16)
    expect(unitFrom(`${image}, steps: 4`, LCM_FACTS).executedSteps).toBe(4)
    expect(unitFrom(`${image}, denoise_strength: 1, steps: 20`).executedSteps).toBe(20)
    expect(unitFrom(`${image}, denoise_strength: 1, steps: 20`, SD_FACTS).executedSteps).toBe(20)
    expect(unitFrom(`${image}, steps: 10, scheduler: heun`, SD_FACTS).executedSteps).toBe(6)
  })

  it('keeps path and fit', () => {
    expect(unitFrom(`${image}, fit: cover`).image!.source).toMatch(/[\\/]shows[\\/]stage\.png$/)
    expect(unitFrom(`${image}, fit: cover`).image!.fit).toBe('cover')
    expect(unitFrom('image: "https://example.org/a.png"').image).toEqual({
      source: 'https://example.org/a.png',
      fit: undefined,
    })
  })

  it('reads reference_strength as 1 - x', () => {
    expect(unitFrom(`${image}, reference_strength: 0.7`).denoiseStrength).toBe(0.3)
  })

  it('needs a step to execute, and a VAE encoder', () => {
    const [none] = faultsOfCue(`${image}, denoise_strength: 0`)
    expect(none).toMatchObject({ code: 'E_NO_STEPS', location: { line: 4, column: 80 } })
    expect(
      faultsOfCue(`${image}, steps: 3, denoise_strength: 0.1, scheduler: euler`, SD_FACTS)[0]!.code,
    ).toBe('E_NO_STEPS')
    const [encoder] = faultsOfCue(image, { ...SD3_FACTS, hasVaeEncoder: false })
    expect(encoder).toMatchObject({ code: 'E_NO_VAE_ENCODER', location: { line: 4, column: 51 } })
    const [lcm] = faultsOfCue(`${image}, steps: 8, denoise_strength: 0.1`, LCM_FACTS)
    expect(lcm).toMatchObject({ code: 'E_SCHEDULER_STEPS', location: { line: 4, column: 69 } })
  })

  it('exact_copy_mode: hardly any strength, no guidance, no negative prompt, few steps', () => {
    const cue = `${image}, exact_copy_mode: true, denoise_strength: 0.6, steps: 40, guidance_scale: 9, negative_prompt: no, negative_prompt_2: no`
    const exact = {
      exactCopyMode: true,
      denoiseStrength: 0.05,
      guidanceScale: 1,
      negativePrompt: undefined,
      negativePrompt2: undefined,
    }
    expect(unitFrom(cue)).toMatchObject({ ...exact, steps: 6, executedSteps: 1 })
    expect(unitFrom(cue, SD_FACTS)).toMatchObject({ ...exact, steps: 20, executedSteps: 1 })
    expect(unitFrom(cue, LCM_FACTS)).toMatchObject({ ...exact, steps: 2, executedSteps: 2 })
    expect(unitFrom(`${image}, exact_copy_mode: true, denoise_strength: 0.02`).denoiseStrength).toBe(0.02)
    for (const strength of [0.05, 1 / 49, 0.011, 0.049]) {
      const unit = unitFrom(`${image}, exact_copy_mode: true, denoise_strength: ${strength}`, SD_FACTS)
      expect(unit.executedSteps).toBe(1)
    }
  })

  it('exact_copy_mode without an image does nothing when it comes from defaults', () => {
    const unit = unitFrom('', SD3_FACTS, 'P1', 'defaults: { exact_copy_mode: true, denoise_strength: 0.3 }\n')
    expect(unit).toMatchObject({
      exactCopyMode: false,
      denoiseStrength: undefined,
      steps: 28,
      guidanceScale: 7,
    })
  })
})

describe('scheduler', () => {
  it('is checked against the folder', () => {
    const [value] = faultsOfCue('scheduler: { shift: -1 }')
    expect(value).toMatchObject({ code: 'E_SCHEDULER_VALUE', location: { line: 4, column: 64 } })
    const [key] = faultsOfCue('scheduler: { shfit: 2 }')
    expect(key).toMatchObject({ code: 'E_UNKNOWN_KEY', location: { line: 4, column: 57 } })
    expect(key!.help).toMatch('Did you mean "shift"')
    expect(
      faultsOfCue('scheduler: { name: euler, use_karras_sigmas: true, use_beta_sigmas: true }', SD_FACTS)[0]!
        .code,
    ).toBe('E_SCHEDULER_CONFLICT')
    expect(faultsOfCue('', { ...SD3_FACTS, schedulerConfig: { _class_name: 'Other' } })[0]!.code).toBe(
      'E_UNSUPPORTED_SCHEDULER',
    )
  })

  it('a key that changes nothing is a fault, at its value', () => {
    const [fault] = faultsOfCue('scheduler: { base_shift: 0.6 }')
    expect(fault).toMatchObject({ code: 'E_SCHEDULER_KEY_UNUSED', location: { line: 4, column: 69 } })
  })

  it('takes the keys that diffusers signs its files with', () => {
    expect(unitFrom('scheduler: { _diffusers_version: 0.39.0, shift: 2 }').scheduler.config).toMatchObject({
      shift: 2,
    })
  })

  it('takes dynamic shifting without knowing the shift', () => {
    const schedulerConfig = { _class_name: 'FlowMatchEulerDiscreteScheduler', use_dynamic_shifting: true }
    expect(unitFrom('steps: 3', { ...SD3_FACTS, schedulerConfig }).executedSteps).toBe(3)
  })
})

it('max_sequence_length must suit the model, where it has T5', () => {
  const t5 = { ...SD3_FACTS, maxSequenceLength: 256 }
  expect(unitFrom('max_sequence_length: 256', t5).maxSequenceLength).toBe(256)
  expect(faultsOfCue('max_sequence_length: 257', t5)[0]).toMatchObject({ code: 'E_SEQUENCE_LENGTH' })
  expect(unitFrom('max_sequence_length: 512').maxSequenceLength).toBe(512)
})

it('reports the faults of all units at once, and each place once', () => {
  const text =
    'version: v\nprograms: { P1: { width: 72 }, P2: { height: 72 } }\ncues:\n  a: { program: P1, prompt: x, seeds: [1, 2, 3] }\n  b: { program: P2, prompt: x, seeds: [1] }\n'
  const faults = faultsFrom(() => expandUnits(parse(text), { backdrop: SD3_FACTS }))
  expect(outline(faults)).toEqual(['2:26 E_SIZE_MULTIPLE', '2:46 E_SIZE_MULTIPLE'])
})

it('hands the warnings of the sheet on', () => {
  const text = 'version: v\nprograms: { P1: {} }\ncues:\n  a: { program: P1, prompt: "", seeds: [1, 2, 3] }\n'
  expect(expandUnits(parse(text), { backdrop: SD3_FACTS }).warnings.map(({ code }) => code)).toEqual([
    'W_EMPTY_PROMPT',
  ])
})
