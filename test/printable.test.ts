import { describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../src/error-codes.ts'
import { formatError, formatErrors, PregenError } from '../src/errors.ts'
import { MAX_LINE_CHARS, printable, printableJson } from '../src/printable.ts'
import fc from './support/seed.ts'

/** What steers terminals, CI systems or eyes. */
const HOSTILE = [
  ...[
    '\u001b[31m',
    '\r',
    '\n',
    '\u0007',
    '\u0008',
    '\u009b2J',
    '\u0085',
    '\u2028',
    '\u2029',
    '\u202e',
    '\u2066',
  ],
  ...[
    '\u200b',
    '\ufeff',
    '\u00ad',
    '\u3164',
    '\ud800',
    '::error::x',
    '##[error]x',
    '##vso[task.x]',
    ' ',
    '\u00a0',
    'a',
  ],
]
const hostile = fc.array(fc.constantFrom(...HOSTILE), { maxLength: 8 }).map((parts) => parts.join(''))

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029\u3164]/u
const isCommand = (line: string) => /^\s*::/.test(line) || /##(?:\w+)?\[/.test(line)

describe('a printed line', () => {
  it('hides nothing and commands nothing, whatever it is made of', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const line = printable(text)
        expect(line).not.toMatch(HIDDEN)
        expect(isCommand(line)).toBe(false)
        expect(printable(line)).toBe(line)
      }),
      { seed: 7, numRuns: 2000 },
    )
  })

  it('shows what it held', () => {
    expect(printable('a\u001b[2Jb\r\u202ec\nd')).toBe('a\\u{1b}[2Jb\\u{d}\\u{202e}c\\u{a}d')
    expect(printable('  ::set-env name=x::y')).toBe('  \\u{3a}:set-env name=x::y')
    expect(printable('x ##vso[task.setvariable]')).toBe('x \\u{23}#vso[task.setvariable]')
    expect(printable('a::b # c ## d, 中文 é 🌄')).toBe('a::b # c ## d, 中文 é 🌄')
  })

  it('is bounded, and says by how much', () => {
    expect(printable('x'.repeat(1_000_000))).toBe(`${'x'.repeat(MAX_LINE_CHARS)}… (1000000 characters)`)
  })
})

describe('printed JSON', () => {
  it('is exact, and safe to print', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const json = printableJson({ message: text })
        expect(JSON.parse(json)).toEqual({ message: text })
        expect(json).not.toMatch(HIDDEN)
        expect(isCommand(json)).toBe(false)
      }),
      { seed: 7, numRuns: 2000 },
    )
  })
})

describe('a printed fault', () => {
  it('has lines of ours only', () => {
    const location = { file: 'a\nb.yaml', line: 1, column: 2 }
    const fault = new PregenError('E_BUG', '::warning::x\n::error::y', { location, help: 'do\n##[group]z' })
    expect(formatError(fault).split('\n')).toEqual([
      'a\\u{a}b.yaml:1:2  E_BUG',
      '  \\u{3a}:warning::x\\u{a}::error::y',
      '  do\\u{a}\\u{23}#[group]z',
    ])
  })

  it('is one of fifty, and the others are counted', () => {
    const faults = ERROR_CODES.slice(0, 70).map((code) => new PregenError(code, 'x'))
    const lines = formatErrors(faults, 1000)
    expect(lines.filter((line) => line.startsWith('E_'))).toHaveLength(50)
    expect(lines.at(-1)).toBe('and 1020 more')
    const long = faults.map(
      ({ code }) => new PregenError(code, 'y'.repeat(10_000), { help: 'z'.repeat(10_000) }),
    )
    expect(formatErrors(long).join('\n').length).toBeLessThan(64 * 1024)
    expect(formatErrors(faults.slice(0, 2)).join('\n')).toBe(
      `${ERROR_CODES[0]}\n  x\n\n${ERROR_CODES[1]}\n  x`,
    )
  })
})
