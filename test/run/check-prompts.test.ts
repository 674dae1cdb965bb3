import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { modelFacts } from '../../src/model/facts.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import type { Unit } from '../../src/plan/unit.ts'
import { checkPrompts } from '../../src/run/check-prompts.ts'
import { unpackReference } from '../families/reference.ts'
import { MODELS } from '../model/fixtures.ts'
import { openPipeline } from '../pipelines/oracle.ts'
import { unitOf } from '../plan/helpers.ts'

const LONG = `${'castles and kings and queens and dragons '.repeat(12)}beyond the sea`

async function modelOf(name: string, changes = {}) {
  const folder = readModelFolder(resolve(MODELS, name))
  return { id: 'm', folder, facts: { ...(await modelFacts(folder)), ...changes } }
}

async function messagesOf(name: string, units: readonly Partial<Unit>[], changes = {}) {
  const all = units.map((unit) => unitOf({ model: 'm', cue: 'one', ...unit }))
  const model = await modelOf(name, changes)
  const { warnings, faults } = await checkPrompts(all, new Map([['m', model]]))
  return [
    ...warnings.map(({ code, message }) => `${code} ${message}`),
    ...faults.map(({ message }) => message),
  ]
}

describe('prompts that are cut off', () => {
  test('are told with cue, variant and the setting that they stand in', async () => {
    const messages = await messagesOf('sdxl-tiny', [
      { variant: 'seed-1', prompt: LONG },
      { variant: 'seed-2', prompt: LONG },
      { cue: 'two', variant: 'seed-1', prompt: LONG },
      { cue: 'three', variant: 'seed-1', prompt: 'short', negativePrompt: `fog ${LONG}` },
      { cue: 'four', variant: 'seed-1', prompt: 'short', prompt2: `sea ${LONG}` },
      { cue: 'five', variant: 'seed-1', prompt: 'short' },
    ])
    expect(messages).toEqual([
      expect.stringMatching(
        /^W_PROMPT_TRUNCATED one\/seed-1, one\/seed-2: prompt has \d+ tokens, and text_encoder reads 77; cut off: ".*sea"$/,
      ),
      expect.stringMatching(/^W_PROMPT_TRUNCATED two\/seed-1: prompt has /),
      expect.stringMatching(/^W_PROMPT_TRUNCATED three\/seed-1: negative_prompt has /),
      expect.stringMatching(
        /^W_PROMPT_TRUNCATED four\/seed-1: prompt_2 has \d+ tokens, and text_encoder_2 reads/,
      ),
    ])
  })

  test('a negative prompt that is not evaluated is not cut', async () => {
    expect(await messagesOf('sdxl-tiny', [{ negativePrompt: LONG, guided: false }])).toEqual([])
  })

  test('T5 reads more, and CLIP beside it is named', async () => {
    const messages = await messagesOf('sd3-tiny', [{ variant: 'a', prompt: LONG }])
    expect(messages).toHaveLength(1)
    expect(messages[0]).toContain('one/a: prompt has')
    expect(messages[0]).toContain('text_encoder reads 77')
  })

  test('many are counted', async () => {
    const units = Array.from({ length: 60 }, (_, i) => ({ cue: `c${i}`, prompt: LONG }))
    const messages = await messagesOf('sd15-tiny', units)
    expect(messages).toHaveLength(51)
    expect(messages.at(-1)).toBe('W_MORE_WARNINGS There are 10 more prompts that are cut off.')
  })
})

describe.each(['chroma-tiny', 'flux2-klein-tiny', 'qwenimage-tiny', 'zimage-tiny'])('%s', (name) => {
  const folder = unpackReference(name).modelOf({})

  test('cuts in the plan what it cuts in the run', async () => {
    const unit = { variant: 'a', prompt: LONG, negativePrompt: `fog ${LONG}`, maxSequenceLength: 60 }
    const takesNegative = name !== 'flux2-klein-tiny'
    const messages = await messagesOf(folder, [{ ...unit, guided: true }])
    const settings = takesNegative ? ['prompt', 'negative_prompt'] : ['prompt']
    expect(messages.map((message) => /a: (\w+) has/.exec(message)?.[1])).toEqual(settings)

    const pipeline = openPipeline(folder)
    await pipeline.loadTextEncoders()
    const { warnings } = await pipeline.encodePrompt({ ...unit, withNegative: takesNegative })
    await pipeline.dispose()
    const figures = (message: string) =>
      [...(/(\d+) tokens.* reads (\d+); (.*)/.exec(message) ?? [])].slice(1)
    expect(messages.map(figures)).toEqual(warnings.map(({ message }) => figures(message)))
    expect(messages[0]).toMatch(/beyond the sea"$/)
  })

  test('says nothing of what fits', async () => {
    expect(await messagesOf(folder, [{ prompt: 'a fox on a hill', guided: true }])).toEqual([])
  })
})

test('a weighted prompt that is too long for the export is a fault', async () => {
  const { facts } = await modelOf('sd15-tiny')
  const fixed = facts.fixed && { ...facts.fixed, textTokens: 77 }
  const messages = await messagesOf(
    'sd15-tiny',
    [
      { variant: 'a', prompt: LONG, promptSyntax: 'a1111' },
      { variant: 'b', prompt: 'short (moon:1.2)', promptSyntax: 'a1111' },
    ],
    { fixed },
  )
  expect(messages).toEqual([expect.stringMatching(/^one\/a: a prompt is longer than the 77 tokens/)])
})
