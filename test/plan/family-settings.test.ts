import { describe, expect, it } from 'vitest'
import { expandUnits } from '../../src/plan/expand.ts'
import type { ModelFacts } from '../../src/plan/model-facts.ts'
import { faultsFrom, parse } from '../cue-sheet/helpers.ts'
import { SD_FACTS, SD3_FACTS } from './helpers.ts'

const ZIMAGE: ModelFacts = {
  ...SD3_FACTS,
  family: 'zimage',
  defaults: { ...SD3_FACTS.defaults, guidanceScale: 5 },
  maxSequenceLength: 1024,
}
const QWEN: ModelFacts = {
  ...SD3_FACTS,
  family: 'qwenimage',
  defaults: { ...SD3_FACTS.defaults, guidanceScale: 1, trueCfgScale: 4 },
  maxSequenceLength: 1024,
}
const FLUX: ModelFacts = { ...SD3_FACTS, family: 'flux' }
const FACTS = { sd: SD_FACTS, zimage: ZIMAGE, qwen: QWEN, flux: FLUX }
const MODELS = 'models: { sd: ./sd, zimage: ./z, qwen: ./q, flux: ./f }\n'

/** One cue a model. */
function expand(cues: Readonly<Record<string, string>>, rest = '', programs = 'P0: {}') {
  const lines = Object.entries(cues).map(
    ([model, cue]) =>
      `  ${model}: { program: P0, model: ${model}, prompt: x, seeds: [1]${cue && `, ${cue}`} }\n`,
  )
  const text = `version: v\n${MODELS}${rest}programs: { ${programs} }\ncues:\n${lines.join('')}`
  return expandUnits(parse(text), FACTS)
}

describe('a setting that a family does not have', () => {
  it.each([
    ['true_cfg_scale: 4', 'sd', /FLUX\.1 and Qwen-Image have true_cfg_scale/],
    ['true_cfg_scale: 4', 'zimage', /FLUX\.1 and Qwen-Image have true_cfg_scale/],
    ['cfg_normalization: true', 'qwen', /Z-Image has cfg_normalization/],
    ['cfg_truncation: 0.5', 'flux', /Z-Image has cfg_truncation/],
  ])('%s is a fault for %s that names those that have it', (setting, model, help) => {
    const [fault, ...others] = faultsFrom(() => expand({ [model]: setting }))
    expect(others).toEqual([])
    expect(fault).toMatchObject({ code: 'E_SETTING_UNSUITED', help: expect.stringMatching(help) })
    expect(fault!.location).toMatchObject({ line: 5 })
    expect(fault!.message).toContain(`cues.${model}.${setting.split(':')[0]} is a setting that the model`)
  })

  it('is at fault in defaults and programs where no model that takes it from there has it', () => {
    const rest = 'defaults: { true_cfg_scale: 2, negative_prompt: " " }\n'
    expect(expand({ sd: '', qwen: '' }, rest).units.map(({ trueCfgScale }) => trueCfgScale)).toEqual([2, 2])
    expect(faultsFrom(() => expand({ sd: '', zimage: '' }, rest))).toMatchObject([
      { code: 'E_SETTING_UNSUITED', message: expect.stringContaining('defaults.true_cfg_scale') },
    ])
    expect(faultsFrom(() => expand({ sd: '' }, '', 'P0: { cfg_truncation: 0.5 }'))).toMatchObject([
      { code: 'E_SETTING_UNSUITED', message: expect.stringContaining('programs.P0.cfg_truncation') },
    ])
  })
})

describe('guidance', () => {
  const guided = (model: string, cue: string) => expand({ [model]: cue }).units[0]!.guided

  it('acts above 1, above 0 for Z-Image, and by true_cfg_scale with a negative prompt', () => {
    expect([0, 1, 1.5].map((scale) => guided('sd', `guidance_scale: ${scale}`))).toEqual([false, false, true])
    expect([0, 0.5].map((scale) => guided('zimage', `guidance_scale: ${scale}`))).toEqual([false, true])
    expect(guided('qwen', '')).toBe(false)
    expect(guided('qwen', 'negative_prompt: ""')).toBe(true)
    expect(guided('qwen', 'negative_prompt: "", true_cfg_scale: 1')).toBe(false)
    expect(guided('flux', 'negative_prompt: fog')).toBe(false)
    expect(guided('flux', 'negative_prompt: fog, true_cfg_scale: 2')).toBe(true)
  })

  it('is none in exact_copy_mode, as each family counts', () => {
    const exact = 'image: stage.png, exact_copy_mode: true, negative_prompt: fog'
    for (const model of ['sd', 'zimage', 'qwen', 'flux']) expect(guided(model, exact)).toBe(false)
  })

  it.each([
    ['qwen', 'true_cfg_scale: 4', /needs a negative_prompt/],
    ['zimage', 'guidance_scale: 1', /counts from 0, so that 1 here is 2 elsewhere, and 0 is none/],
  ])('%s with %s is warned of', (model, cue, message) => {
    expect(expand({ [model]: cue }).warnings).toMatchObject([
      { code: 'W_GUIDANCE', message: expect.stringMatching(message) },
    ])
  })

  it('scale means nothing to Qwen-Image, and that is said', () => {
    expect(expand({ qwen: 'guidance_scale: 4' }).warnings).toMatchObject([
      {
        code: 'W_SETTING_UNUSED',
        message: 'cues.qwen.guidance_scale has no effect: Qwen-Image does not read it.',
      },
    ])
  })

  it('without a true_cfg_scale leaves a negative prompt unread, wherever it stands', () => {
    const warned = (at: string) => [
      {
        code: 'W_SETTING_UNUSED',
        message: `${at}.negative_prompt has no effect: FLUX.1 reads it above a true_cfg_scale of 1.`,
      },
    ]
    expect(expand({ flux: 'negative_prompt: fog' }).warnings).toMatchObject(warned('cues.flux'))
    const rest = 'defaults: { negative_prompt: fog }\n'
    expect(expand({ flux: '' }, rest).warnings).toMatchObject(warned('defaults'))
    expect(expand({ flux: '', qwen: '' }, rest).warnings).toEqual([])
    expect(expand({ flux: 'negative_prompt: " "' }).warnings).toEqual([])
  })

  it('of what is usual is not spoken of', () => {
    const usual = { qwen: 'negative_prompt: " "', zimage: 'guidance_scale: 0', flux: 'guidance_scale: 3.5' }
    expect(expand(usual).warnings).toEqual([])
  })
})
