import { join, relative, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findIdFault, foldId, slugOf } from '../../src/cue-sheet/ids.ts'
import { nearest } from '../../src/did-you-mean.ts'
import fc from '../support/seed.ts'

const NASTY = fc.constantFrom(
  '.',
  '..',
  '/',
  '\\',
  '-',
  ' ',
  '\0',
  '\n',
  '\u202e',
  '\u200b',
  'CON',
  ':',
  '%2e',
  'é',
  '~',
  '🎭',
)
const ID = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.oneof(NASTY, fc.string()), { maxLength: 6 }).map((parts) => parts.join('')),
)

describe('ids', () => {
  it('no accepted id leaves its folder, or is read as another name', () => {
    fc.assert(
      fc.property(ID, (id) => {
        if (findIdFault(id) !== undefined) return
        const path = relative('/out/cues', join('/out/cues', id))
        expect(path).toBe(id)
        expect(path.split(sep)).toHaveLength(1)
        expect(new URL(`https://h/cues/${encodeURIComponent(id)}`).pathname.split('/')).toHaveLength(3)
        expect(Buffer.byteLength(id)).toBeLessThanOrEqual(243)
      }),
      { numRuns: 2000 },
    )
  })

  it.each(['dawn', '001', 'Größe', '夜明け', '🎭', 'a b', 'v1.10', 'x-1_y', 'console', 'final', 'png'])(
    '%s is one',
    (id) => {
      expect(findIdFault(id)).toBeUndefined()
    },
  )

  it('fold case and composition, in any order', () => {
    expect(foldId('É')).toBe(foldId('e\u0301'))
    expect(foldId('STRASSE')).toBe(foldId('straße'))
    expect(foldId('STRAẞE')).toBe(foldId('straße'))
    expect(foldId('a')).not.toBe(foldId('b'))
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (id) => {
        expect(foldId(foldId(id))).toBe(foldId(id))
      }),
    )
  })
})

describe('slugOf', () => {
  it.each([
    ['Golden hour!', 'golden-hour'],
    [4.5, '4.5'],
    [1, '1'],
    [true, 'true'],
    ['dpm++2m', 'dpm-2m'],
    ['../../etc', 'etc'],
    ['été — soir', 'été-soir'],
    ['!!!', ''],
    ['x'.repeat(100), 'x'.repeat(64)],
    [`${'x'.repeat(63)} y`, 'x'.repeat(63)],
  ])('%j → %s', (value, slug) => {
    expect(slugOf(value)).toBe(slug)
  })

  it('is an id, or nothing', () => {
    fc.assert(
      fc.property(ID, (text) => {
        const slug = slugOf(text)
        const code = slug === '' ? undefined : findIdFault(slug)?.why
        // Names of devices and invisible letters that Unicode counts as letters are left to the check of ids.
        expect([
          undefined,
          'is the name of a device on Windows',
          'has an invisible character in it (zero-width or text direction)',
        ]).toContain(code)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('nearest', () => {
  it('finds slips of the finger and nothing far away', () => {
    expect(nearest('widht', ['width', 'height'])).toBe('width')
    expect(nearest('guidance-scale', ['guidance_scale'])).toBe('guidance_scale')
    expect(nearest('STEPS', ['steps'])).toBe('steps')
    expect(nearest('guidance', ['steps', 'guidance_scale'])).toBe('guidance_scale')
    expect(nearest('num_inference_steps', ['width', 'steps'])).toBe('steps')
    expect(nearest('colour', ['steps', 'width'])).toBeUndefined()
    expect(nearest('x', [])).toBeUndefined()
  })
})
