import { describe, expect, test } from 'vitest'
import { expandUnits } from '../../src/plan/expand.ts'
import { findTextRemains } from '../../src/plan/prompt-syntax.ts'
import { parse } from '../cue-sheet/helpers.ts'
import { LCM_FACTS, SD_FACTS, SD3_FACTS } from './helpers.ts'

const FLUX_FACTS = { ...SD3_FACTS, family: 'flux' as const }

function warningsOf(cue: string, facts = SD_FACTS, head = '', program = '') {
  const text = `version: v1\n${head}\nprograms: { P1: { ${program} } }\ncues:\n  c: { program: P1, prompt: x, ${cue} }\n`
  return expandUnits(parse(text), { backdrop: facts }).warnings.map(
    ({ code, message, location }) => `${location?.line} ${code} ${message}`,
  )
}

describe('a negative prompt', () => {
  test.each([
    ['LCM', LCM_FACTS, 'negative_prompt: fog, seeds: [1]', 'LCM does not read it'],
    ['FLUX', FLUX_FACTS, 'negative_prompt: fog, seeds: [1]', 'FLUX.1 reads it above a true_cfg_scale of 1'],
    [
      'guidance 1',
      SD_FACTS,
      'negative_prompt: fog, guidance_scale: 1, seeds: [1]',
      'at guidance_scale 1 it is never evaluated',
    ],
    [
      'a distilled UNet',
      { ...SD_FACTS, guidance: 'input' as const },
      'negative_prompt: fog, seeds: [1]',
      'takes its guidance as an input',
    ],
    [
      'exact copies',
      SD_FACTS,
      'negative_prompt: fog, image: a.png, exact_copy_mode: true, seeds: [1]',
      'exact_copy_mode draws without guidance',
    ],
    [
      'one cell of two',
      SD_FACTS,
      'negative_prompt: fog, matrix: { guidance_scale: [5, 1] }',
      'for the variant "1": at guidance_scale 1',
    ],
  ])('%s', (_, facts, cue, why) => {
    const warnings = warningsOf(cue, facts)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^5 W_SETTING_UNUSED cues\.c\.negative_prompt has no effect/)
    expect(warnings[0]).toContain(why)
  })

  test('in a program or defaults is told of where no unit reads it', () => {
    const cue = 'seeds: [1, 2]'
    expect(warningsOf(cue, FLUX_FACTS, 'defaults: { negative_prompt: fog }')).toEqual([
      expect.stringMatching(/^2 W_SETTING_UNUSED defaults\.negative_prompt has no effect/),
    ])
    expect(
      warningsOf(cue, SD_FACTS, 'defaults: { negative_prompt: fog }', 'guidance_scale: 0.5'),
    ).toHaveLength(1)
    const mixed = 'matrix: { guidance_scale: [1, 5] }'
    expect(warningsOf(mixed, SD_FACTS, 'defaults: { negative_prompt: fog }')).toEqual([])
  })

  test('that is empty, or evaluated, is no news', () => {
    expect(warningsOf('negative_prompt: "", guidance_scale: 1, seeds: [1]')).toEqual([])
    expect(warningsOf('negative_prompt: fog, seeds: [1]')).toEqual([])
  })
})

test('guidance of a model that takes none is told of', () => {
  const schnell = { ...FLUX_FACTS, guidance: 'none' as const }
  expect(warningsOf('guidance_scale: 5, seeds: [1]', schnell)).toEqual([
    expect.stringMatching(/cues\.c\.guidance_scale has no effect: the model "backdrop" has no guidance/),
  ])
})

test.each(['"   "', '"\\u3000 \\u00a0"', '"\\u200b"'])('a prompt of blanks, %s, is told of', (prompt) => {
  const text = `version: v1\nprograms: { P1: {} }\ncues:\n  c: { program: P1, seeds: [1], prompt: ${prompt} }\n`
  expect(parse(text).warnings).toEqual([
    expect.objectContaining({
      code: 'W_EMPTY_PROMPT',
      message: 'cues.c.prompt holds blanks and nothing else.',
    }),
  ])
})

describe('syntax that stays text', () => {
  test.each([
    ['[cat:dog:0.5]', 'does not change prompts between steps'],
    ['a [(red:1.2) cat:dog:12] x', 'does not change prompts between steps'],
    ['[:dog:.5]', 'does not change prompts between steps'],
    ['[cow|horse] in a field', 'does not alternate'],
    ['a cat AND a dog', 'does not compose'],
    ['a cat <lora:fluffy:0.8>', 'loads no LoRA'],
  ])('%s', (prompt, why) => {
    expect(findTextRemains(prompt, 'a1111')).toContain(why)
  })

  test.each(['(moon:1.3), [fog]', 'a \\[b|c\\]', 'SAND and sea', 'at [noon: sharp]', '[[[', '[a:b'])(
    '%s is read',
    (prompt) => {
      expect(findTextRemains(prompt, 'a1111')).toBeNull()
    },
  )

  test('weights are text in plain prompts', () => {
    expect(findTextRemains('a (moon:1.3)', 'plain')).toBe(
      '"(moon:1.3)", which stays text: "prompt_syntax: a1111" reads weights',
    )
    expect(findTextRemains('noon (12:30), at sea: calm', 'plain')).toBe(
      '"(12:30)", which stays text: "prompt_syntax: a1111" reads weights',
    )
    expect(findTextRemains('a (big) moon: calm', 'plain')).toBeNull()
  })

  test('names the place, the template where one makes the prompt', () => {
    const warnings = warningsOf('prompt_syntax: a1111, prompt_template: "{prompt} AND y", seeds: [1, 2]')
    expect(warnings).toEqual([
      expect.stringMatching(/^5 W_PROMPT_SYNTAX cues\.c\.prompt_template has "AND", which stays text/),
    ])
  })

  test('is found in linear time', () => {
    const deep = '['.repeat(20_000)
    expect(findTextRemains(deep, 'a1111')).toBeNull()
    expect(findTextRemains('('.repeat(20_000) + ':'.repeat(20_000), 'plain')).toBeNull()
  })
})
