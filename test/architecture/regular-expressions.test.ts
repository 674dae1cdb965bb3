import { checkSync } from 'recheck'
import { describe, expect, it } from 'vitest'
import { type FoundExpression, findExpressions, isLinearByShape } from '../support/regular-expressions.ts'

// The checker in JavaScript: the same verdict on every machine, and no program of another's making is started.
process.env.RECHECK_BACKEND = 'pure'

/** `automaton`: a proof, and no search that luck decides. */
const HOW = { checker: 'automaton', timeout: 30_000 } as const

const verdictOf = (expression: FoundExpression): string =>
  isLinearByShape(expression) ? 'safe' : checkSync(expression.source, expression.flags, HOW).status

const literal = (pattern: RegExp): FoundExpression => ({
  place: '',
  source: pattern.source,
  flags: pattern.flags,
})

describe('regular expressions of the source', () => {
  const { literals, made } = findExpressions()

  it('are found', () => {
    expect(literals.length).toBeGreaterThan(60)
  })

  it('are never made of text', () => {
    expect(made).toEqual([])
  })

  it('take linear time on every input', () => {
    const slow = literals.filter((each) => verdictOf(each) !== 'safe')
    expect(slow.map(({ place, source }) => `${place} /${source}/`)).toEqual([])
  }, 120_000)
})

describe('the judge of regular expressions', () => {
  it.each([
    ['trims an end', /\/+$/],
    ['repeats a repetition', /^(a+)+$/],
    ['repeats comments', /^\s*(<!--[\s\S]*?-->\s*)*<html/],
    ['looks for the end of a string', /"(?:[^"\\]|\\.)*"/g],
    ['starts over at every part of a word', /\b([a-z][a-z.]*:\/\/)/g],
    ['repeats two classes with a common character', /^\w*\d*$/],
  ])('refuses what %s', (_, pattern) => {
    expect(verdictOf(literal(pattern))).not.toBe('safe')
  })

  it.each([/^\d{1,9}$/, /[?#]/, /^[^/]+\/x$/, /(?:Signature|Key)=[^&]+/gi])('takes %s', (pattern) => {
    expect(verdictOf(literal(pattern))).toBe('safe')
  })
})
