/** Prompts cleaned as diffusers does with ftfy 6.3.1: recorded with Python, for text that is pasted, garbled or both. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cleanPrompt } from '../../src/text/clean-prompt.ts'
import { fixText } from '../../src/text/fix-text.ts'
import { packageRoot } from '../support/cli.ts'
import fc from '../support/seed.ts'

const recorded: [string, string][] = JSON.parse(
  readFileSync(join(packageRoot, 'test/fixtures/prompts/ftfy.json'), 'utf8'),
)

describe('a prompt', () => {
  it.each([
    ['curly quotes', 'the painter’s “red” balloon', `the painter's "red" balloon`],
    ['entities', 'a caf&eacute; &amp;amp; a bar', 'a café & a bar'],
    ['entities in capitals', 'P&EACUTE;REZ', 'PÉREZ'],
    ['names without semicolons', 'this &notit; &copy 2026', 'this ¬it; © 2026'],
    ['ligatures', 'ﬁne ﬂowers', 'fine flowers'],
    ['full-width forms', 'ＬＯＵＤ　ＮＯＩＳＥ', 'LOUD NOISE'],
    ['garbled UTF-8', 'a cafÃ© at nightâ€¦', 'a café at night…'],
    ['UTF-8 garbled twice', 'cafÃƒÂ©', 'café'],
    ['a garbled word in sound text', 'naïve “quoted” — itâ€™s “fine”', `naïve "quoted" — it's "fine"`],
    ['white space', '\u00a0 a\r\n\tb\u2003c\u001f ', 'a b c'],
    ['colours of a terminal', '\u001b[36;44mblue\u001b[0m', 'blue'],
    ['a mark of byte order', '\ufeffa fox', 'a fox'],
    [
      'text that is sound',
      'À la mode — 50° ± 3², Привет, 日本語, 🎭',
      'À la mode — 50° ± 3², Привет, 日本語, 🎭',
    ],
  ])('with %s', (_, given, wanted) => {
    expect(cleanPrompt(given)).toBe(wanted)
  })

  it.each(recorded)('%j', (given, wanted) => {
    expect(cleanPrompt(given)).toBe(wanted)
  })

  it('comes out the same when it is mended again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        const fixed = fixText(text)
        expect(fixText(fixed)).toBe(fixed)
      }),
    )
  })
})
