import { describe, expect, it } from 'vitest'
import { JsonTextError, parseJsonText } from '../../src/model-files/json-text.ts'
import fc from '../support/seed.ts'

const parse = (text: string) => parseJsonText(text, { maxValues: 1000 })

function faultOf(text: string): string {
  try {
    parse(text)
  } catch (thrown) {
    if (thrown instanceof JsonTextError) return thrown.message
    throw thrown
  }
  return 'none'
}

describe('parseJsonText', () => {
  it('reads what JSON.parse reads, to the same value', () => {
    fc.assert(
      fc.property(fc.json(), fc.integer({ min: 0, max: 3 }), (text, indent) => {
        const spaced = JSON.stringify(JSON.parse(text), null, indent)
        expect(parseJsonText(spaced, { maxValues: 1e6, anyKey: true })).toEqual(JSON.parse(spaced))
      }),
      { seed: 1, numRuns: 300 },
    )
  })

  it('refuses what JSON.parse refuses, and nothing else', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '1',
      '-',
      '0',
      '.5',
      'e3',
      'null',
      'NaN',
      '\\',
      '\n',
      ' ',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
        const text = pieces.join('')
        let isJson = true
        try {
          JSON.parse(text)
        } catch {
          isJson = false
        }
        expect([text, faultOf(text) === 'none']).toEqual([text, isJson])
      }),
      { seed: 2, numRuns: 20_000 },
    )
  })

  it('says where a fault stands and quotes nothing', () => {
    expect(faultOf('{\n  "password": hunter2\n}')).toBe('line 2, column 15: a value was expected')
    expect(faultOf('root:x:0:0')).toBe('line 1, column 1: a value was expected')
    expect(faultOf('{"a": 1 "secret": 2}')).toBe('line 1, column 9: "," or "}" was expected')
    expect(faultOf('\ufeff{}')).toBe('line 1, column 1: it begins with a byte order mark')
  })

  it.each([
    ['nested', '['.repeat(100_000), /nested more than 32 levels/],
    ['nested maps', '{"a":'.repeat(100_000), /nested more than 32 levels/],
    ['of many values', `[${'[],'.repeat(2000)}1]`, /more than 1000 values/],
    ['with a reserved key', '{"a": {"__proto__": {"x": 1}}}', /a key __proto__/],
    ['with a reserved key, escaped', '{"\\u005f_proto__": 1}', /a key __proto__/],
  ])('refuses text %s', (_, text, message) => {
    expect(faultOf(text)).toMatch(message)
  })

  it('grows linearly with quotes and backslashes that never end', () => {
    const characters = (text: string) => {
      let read = 0
      const counted = new Proxy(Object(text), {
        get(target, key) {
          const value = Reflect.get(target, key, target)
          if (key === 'charCodeAt') read++
          return typeof value === 'function' ? value.bind(text) : value
        },
      })
      expect(() => parse(counted)).toThrow(JsonTextError)
      return read
    }
    const [small, large] = [characters('"\\"'.repeat(1000)), characters('"\\"'.repeat(4000))]
    expect(large / small).toBeLessThan(4.5)
  })
})
