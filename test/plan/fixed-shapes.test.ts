import { describe, expect, test } from 'vitest'
import { expandUnits } from '../../src/plan/expand.ts'
import type { FixedShapes } from '../../src/plan/fixed-shapes.ts'
import { faultsFrom, parse } from '../cue-sheet/helpers.ts'
import { SD_FACTS, SD3_FACTS } from './helpers.ts'

const FREE: FixedShapes = {
  ...{ rows: null, width: null, height: null, imageTokens: null, maxSide: null },
  ...{ sequenceLength: null, longestText: null, textTokens: null, numFrames: null },
  ...{ reference: { width: null, height: null }, scale: 8 },
}

function expand(cue: string, fixed: Partial<FixedShapes>, facts = SD_FACTS) {
  const sheet = parse(
    `version: v1\nprograms: { P1: {} }\ncues:\n  c: { program: P1, prompt: x, seeds: [9], ${cue} }\n`,
  )
  return expandUnits(sheet, { backdrop: { ...facts, fixed: { ...FREE, ...fixed } } })
}

const faults = (cue: string, fixed: Partial<FixedShapes>, facts = SD_FACTS) =>
  faultsFrom(() => expand(cue, fixed, facts)).map(({ code, message, help, location }) => [
    code,
    location?.line,
    `${message} ${help}`,
  ])

describe('an export for one number of pictures', () => {
  test.each([
    [1, 'guidance_scale: 1'],
    [1, 'guidance_scale: 5'],
    [2, 'guidance_scale: 5'],
  ])('%d: %s is drawn', (rows, cue) => {
    expect(expand(cue, { rows }).units).toHaveLength(1)
  })

  test.each([
    [2, 'guidance_scale: 1', /guidance_scale is 1.*exported for 2\. Write a guidance_scale above 1/],
    [4, 'guidance_scale: 5', /1 or 2 pictures a call; the model "backdrop" was exported for 4/],
  ])('%d: %s is a fault', (rows, cue, message) => {
    expect(faults(cue, { rows })).toEqual([['E_FIXED_SHAPE', 4, expect.stringMatching(message)]])
  })

  test('draws one picture after another, and says that batch does nothing', () => {
    const { units, warnings } = expand('batch: 4', { rows: 1 })
    expect(units[0]?.batch).toBe(1)
    expect(warnings.map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringMatching(
        /^W_SETTING_UNUSED cues\.c\.batch has no effect: .*one number of pictures a call/,
      ),
    ])
  })
})

test('an export for one size names it', () => {
  expect(faults('width: 256, height: 512', { width: 512, height: 512 })).toEqual([
    ['E_FIXED_SHAPE', 4, expect.stringMatching(/cues\.c\.width is 256.* for 512 alone.*Write width: 512,/)],
  ])
})

test('a packed export names its pixels and a size that has them', () => {
  const fixed = { imageTokens: 64 }
  expect(expand('width: 128, height: 128', fixed, SD3_FACTS).units).toHaveLength(1)
  expect(faults('width: 256, height: 128', fixed, SD3_FACTS)).toEqual([
    [
      'E_FIXED_SHAPE',
      4,
      expect.stringMatching(/exported for 16384\. Take a size of 16384 pixels, such as 128 × 128/),
    ],
  ])
})

test('a model that knows each place has a longest side', () => {
  expect(faults('width: 256', { maxSide: 192 }, SD3_FACTS)).toEqual([
    ['E_FIXED_SHAPE', 4, expect.stringMatching(/width is 256; .* knows 192 pixels a side.*192 or less/)],
  ])
})

test('the length of T5 texts is taken from the export, or has to fit', () => {
  const fixed = { sequenceLength: 128 }
  const facts = { ...SD3_FACTS, maxSequenceLength: 512 }
  expect(expand('', fixed, facts).units[0]?.maxSequenceLength).toBe(128)
  expect(faults('max_sequence_length: 64', fixed, facts)).toEqual([
    ['E_FIXED_SHAPE', 4, expect.stringMatching(/max_sequence_length is 64.*128 tokens alone/)],
  ])
})

test('texts whose padding is masked have any length up to the export’s, which is the default where it is shorter', () => {
  const facts: typeof SD3_FACTS = { ...SD3_FACTS, family: 'zimage', maxSequenceLength: 1024 }
  expect(expand('', { longestText: 128 }, facts).units[0]?.maxSequenceLength).toBe(128)
  expect(expand('', { longestText: 600 }, facts).units[0]?.maxSequenceLength).toBeUndefined()
  expect(expand('max_sequence_length: 64', { longestText: 128 }, facts).units).toHaveLength(1)
  expect(faults('max_sequence_length: 129', { longestText: 128 }, facts)).toEqual([
    ['E_FIXED_SHAPE', 4, expect.stringMatching(/is 129; .* texts of 128 tokens at most.*Write 128 or less/)],
  ])
})
