import { describe, expect, it } from 'vitest'
import { findUnsafePattern, isSafePattern } from '../../src/text/safe-patterns.ts'

describe('a pattern of a tokenizer folder', () => {
  it.each([
    ['CLIP', "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"],
    [
      'CLIP with its special tokens',
      "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
    ],
    ['GPT-2', "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"],
    ['T5', ' {2,}'],
    ['white space', '\\s+'],
  ])('is taken: %s', (_, pattern) => {
    expect(isSafePattern(pattern)).toBe(true)
  })

  it.each([
    '(a+)+$',
    '(a|a)*b',
    '(?:a){2,}',
    'a*a*b',
    '(\\w+)\\1',
    '\\k<x>',
    '(?<x>a)',
    '[a',
    '\\',
    '(a+){9}',
    `${'a'.repeat(3000)}`,
  ])('is refused: %s', (pattern) => {
    expect(isSafePattern(pattern)).toBe(false)
  })

  it('is found wherever it stands', () => {
    const config = {
      normalizers: [{ type: 'Replace', pattern: { Regex: '\\s+' } }, { a: [{ Regex: '(a+)+$' }] }],
    }
    expect(findUnsafePattern(config)).toBe('(a+)+$')
    expect(findUnsafePattern({ Regex: 5 })).toBe('5')
    expect(findUnsafePattern([config.normalizers[0], null])).toBeNull()
  })
})
