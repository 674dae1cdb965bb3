import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readJsonFile } from '../../src/model/json-file.ts'
import { selectUnits } from '../../src/plan/select.ts'
import { temporaryFolder } from '../support/temp.ts'
import { faultsOf, outline, parse, sheetWith } from './helpers.ts'

const SEEDS = '    seeds: [1]\n'

describe('blanks that are no indentation', () => {
  test.each([
    ['no-break spaces', '\u00a0\u00a0\u00a0\u00a0seeds: [1]\n', '9:1', 'A no-break space (U+00A0)'],
    ['spaces and a no-break space', '   \u00a0seeds: [1]\n', '9:4', 'A no-break space (U+00A0)'],
    ['an ideographic space', '    \u3000seeds: [1]\n', '9:5', 'An ideographic space (U+3000)'],
    ['a zero-width space', '    \u200bseeds: [1]\n', '9:5', 'A zero-width space (U+200B)'],
    ['a byte order mark', '    \ufeffseeds: [1]\n', '9:5', 'A byte order mark (U+FEFF)'],
    [
      'one before a key of a variant',
      '    variants:\n      a:\n        \u00a0seed: 7\n',
      '11:9',
      'A no-break space',
    ],
  ])('%s', (_, cue, place, name) => {
    const faults = faultsOf(sheetWith(cue))
    expect(outline(faults)).toEqual([`${place} E_BLANK_INDENT`])
    expect(faults[0]?.message).toContain(`${name}`)
    expect(faults[0]?.message).toContain('indents this line')
  })

  test('are text inside of values', () => {
    const cue = '    negative_prompt: |\n      \u3000mist\u00a0and fog\n    seeds: [1]\n'
    expect(parse(sheetWith(cue)).cues[0]?.variants[0]?.settings.negativePrompt).toBe(
      '\u3000mist\u00a0and fog\n',
    )
  })
})

describe('a value with a colon', () => {
  test.each([
    ['    negative_prompt: sunset: a hill\n    seeds: [1]\n', '9:22'],
    ['    variants: { a: { prompt: sunset: a hill, seed: 1 } }\n', '9:30'],
  ])('%s', (cue, place) => {
    const faults = faultsOf(sheetWith(cue))
    expect(outline(faults)).toEqual([`${place} E_YAML_SYNTAX`])
    expect(faults[0]).toMatchObject({
      message: 'This value has ": " in it, which YAML takes for a key.',
      help: 'Write it in quotes: "sunset: a hill".',
    })
  })

  test('a line that is indented too far keeps its own words', () => {
    const [fault] = faultsOf(sheetWith('    negative_prompt: fog\n      seed: 1\n'))
    expect(fault?.message).not.toContain('": "')
  })
})

describe('a comment inside of a prompt', () => {
  const warningsOf = (cue: string) =>
    parse(sheetWith(cue)).warnings.map(
      ({ code, location }) => `${location?.line}:${location?.column} ${code}`,
    )

  test('is a warning where no quotes stand', () => {
    const cue = `    negative_prompt: house #3 by the sea\n${SEEDS}`
    expect(warningsOf(cue)).toEqual(['9:27 W_COMMENT_IN_PROMPT'])
    expect(parse(sheetWith(cue)).warnings[0]?.message).toContain('cues.dawn.negative_prompt ends before " #"')
  })

  test.each([
    '    negative_prompt: fog  # a comment\n',
    '    negative_prompt: "house #3"\n',
    '    negative_prompt: house#3\n',
    '    steps: 3 # not a prompt\n',
    '    # prompt: a #\n',
  ])('%s is none', (line) => {
    expect(warningsOf(`${line}${SEEDS}`)).toEqual([])
  })

  test('that swallows the end of a map is named', () => {
    const [fault] = faultsOf(sheetWith('    variants: { a: { prompt: house #3, seed: 1 } }\n    steps: 3\n'))
    expect(fault).toMatchObject({ code: 'E_YAML_SYNTAX', help: 'Write a value with " #" in it in quotes.' })
  })
})

test.each(['seed: -1', 'seed: "-1"', 'seeds: [-1]', 'matrix: { seed: [-1] }'])(
  '%s: what to write instead',
  (setting) => {
    const [fault] = faultsOf(sheetWith(`    ${setting}\n${setting.startsWith('seed:') ? SEEDS : ''}`))
    expect(fault).toMatchObject({
      code: 'E_BAD_SEED',
      help: expect.stringContaining('such as 7, or "seeds: [1, 2, 3]"'),
    })
  },
)

test('a byte order mark in a JSON file is named', async () => {
  const path = join(await temporaryFolder(), 'config.json')
  for (const [bytes, kind] of [
    [Buffer.from('\ufeff{}'), 'UTF-8'],
    [Buffer.from('\ufeff{}', 'utf16le'), 'UTF-16'],
  ] as const) {
    writeFileSync(path, bytes)
    expect(() => readJsonFile(path, '')).toThrow(`begins with a byte order mark (${kind})`)
  }
})

test('globs compare names however their accents are stored', () => {
  const unit = { cue: 'café', variant: 'a', program: 'P1' }
  expect(selectUnits([unit], { cue: 'cafe\u0301' })).toEqual([unit])
  expect(selectUnits([{ ...unit, cue: 'cafe\u0301' }], { cue: 'caf\u00e9' })).toHaveLength(1)
})
