import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parsePromptWeights } from '../../src/text/prompt-weights.ts'
import fc from '../support/seed.ts'

interface Golden {
  readonly prompt: string
  readonly parsed: [string, number][]
}

const goldens = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/prompts/a1111-weights.json'), 'utf8'),
) as Golden[]

it.each(goldens)('$prompt', ({ prompt, parsed }) => {
  const got = parsePromptWeights(prompt)
  expect(got.map(([text]) => text)).toEqual(parsed.map(([text]) => text))
  for (const [i, [, weight]] of got.entries()) expect(weight).toBeCloseTo(parsed[i]![1], 9)
})

it.each([
  [
    '(a BREAK b:1.2)',
    [
      ['a', 1.2],
      ['BREAK', -1.2],
      ['b', 1.2],
    ],
  ],
  ['BREAKER', [['BREAKER', 1]]],
  ['éBREAK', [['éBREAK', 1]]],
  [
    'a\nBREAK\nb',
    [
      ['a', 1],
      ['BREAK', -1],
      ['b', 1],
    ],
  ],
  ['(a:-1.5)', [['a', -1.5]]],
  [')(', [[')', 1]]],
  ['a:1.2)', [['a:1.2)', 1]]],
  ['\\', [['', 1]]],
] as const)('%j', (prompt, parsed) => {
  expect(parsePromptWeights(prompt)).toEqual(parsed)
})

it('refuses a weight that is no number', () => {
  expect(() => parsePromptWeights('(x:1.2.3)')).toThrow(expect.objectContaining({ code: 'E_PROMPT_WEIGHT' }))
})

it('leaves text without brackets, backslashes and BREAK as it is', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!/[\\()[\]]|BREAK/.test(text))
      expect(parsePromptWeights(text)).toEqual([[text, 1]])
    }),
  )
})

it('multiplies nested weights', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0.1, max: 3, noNaN: true }), { maxLength: 6 }), (weights) => {
      const rounded = weights.map((weight) => weight.toFixed(3))
      const prompt = `${'('.repeat(rounded.length)}x${rounded.map((weight) => `:${weight})`).join('')}`
      const product = rounded.reduce((total, weight) => total * Number(weight), 1)
      expect(parsePromptWeights(prompt)[0]![1]).toBeCloseTo(product, 9)
    }),
  )
})
