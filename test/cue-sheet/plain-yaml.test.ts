import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { convertSheet } from '../../src/cue-sheet/convert.ts'
import { Faults } from '../../src/cue-sheet/faults.ts'
import { readPlainYaml } from '../../src/cue-sheet/plain-yaml.ts'
import { scanSheet } from '../../src/cue-sheet/scan.ts'
import { isIdMap, isTextSetting } from '../../src/cue-sheet/schema.ts'
import fc from '../support/seed.ts'

/** What the library that knows every place makes of a text; undefined where it finds any fault. */
function readFully(text: string): unknown {
  const faults = new Faults()
  const scanned = scanSheet(text, 'sheet.yaml', faults)
  const doc = scanned && convertSheet(scanned, { env: {}, faults, isIdMap, isTextSetting })
  try {
    faults.throwIfAny()
  } catch {
    return undefined
  }
  return doc?.data
}

/** A comment at the margin within brackets: YAML allows it, the library that knows every place does not. */
const MARGIN_COMMENT = /[[{][^\]}]*\n#/

/** The quick library gives what the other gives, or leaves the text to it. @returns whether it read it */
function expectSame(text: string): boolean {
  const data = readPlainYaml(text)
  if (data === undefined || MARGIN_COMMENT.test(text)) return false
  // Order counts: it is the order of the units.
  expect([text, JSON.stringify(data)]).toEqual([text, JSON.stringify(readFully(text))])
  expect(data).toEqual(readFully(text))
  return true
}

const PLAIN = `# a sheet
version: opening-night   # its name
root: foigoi

programs:
  P0: {}
  P1: { previews: { method: latent2rgb, every: 2 }, steps: 28 }
  # between
  P2:
    guidance_scale: 4.50
    negative_prompt: ""
    thumbnail: true
    image: null
cues:
  dawn:
    program: P1
    prompt: misty mountains, at dawn; 4 hills (two tall) #3
    prompt_2: 'a "quoted" word'
    seeds: [1, -2, 30 , "4"]
    variants:

      wide: { seed: 7 }
      close: {seed: 8, prompt: one mountain at dawn, width: 0}
    matrix: { light: [sunlit, moonlit at night], seed: [] }
storage:
  endpoint: https://example.com:9000/path
  empty:`

describe('plain YAML', () => {
  it('reads a whole sheet as the other library does', () => {
    expect(expectSame(PLAIN)).toBe(true)
    expect(expectSame(`${PLAIN}\n\n   \n# end`)).toBe(true)
  })

  it.each([
    ['a block list', 'a:\n  - b\n  - c'],
    ['a block list at the indent of its key', 'a:\n- b'],
    ['a block text', 'a: |\n  b'],
    ['text over two lines', 'a: b\n  c'],
    ['quotes over two lines', 'a: "b\n  c"'],
    ['an escape', 'a: "\\n"'],
    ['a doubled quote', "a: 'it''s'"],
    ['brackets over two lines', 'a: { b: 1,\n  c: 2 }'],
    ['a trailing comma', 'a: { b: 1, }'],
    ['a key alone in braces', 'a: { b }'],
    ['a map in a list', 'a: [b: 1]'],
    ['a quoted key', '"a": b'],
    ['an indented root', '  a: 1'],
  ])('reads %s as the other library does', (_, text) => {
    expect(expectSame(text)).toBe(true)
  })

  it.each([
    ['a tab', 'a:\tb'],
    ['a variable', `a: $\{HOME}`],
    ['an anchor', 'a: &x b\nc: *x'],
    ['an anchor in a list', 'a: [&x b, *x]'],
    ['an alias of nothing', 'a: *x'],
    ['an unknown tag', 'a: !colour red'],
    ['a tag', 'a: !!str 1'],
    ['a merge key', 'a:\n  <<: b'],
    ['a key twice', 'a: 1\na: 2'],
    ['a key twice in braces', 'a: { b: 1, b: 2 }'],
    ['a number for a key', '1: a'],
    ['a quoted number for a key', '"10": a\n"2": b'],
    ['null for a key', 'null: b'],
    ['the prototype', '__proto__: b'],
    ['two documents', 'a: 1\n---\nb: 2'],
    ['the end of a document', 'a: 1\n...\n'],
    ['a directive', '%YAML 1.2\n---\na: 1'],
    ['a map within a line', 'a: b: c'],
    ['a colon at the end', 'a: b:'],
    ['less indent than its neighbours', 'a:\n    b: 1\n  c: 2'],
    ['more indent after a value', 'a: 1\n  b: 2'],
    ['an octal number', 'a: 0o17'],
    ['a hexadecimal number', 'a: 0x1f'],
    ['an exponent', 'a: 1e3'],
    ['leading zeros', 'a: 001'],
    ['a sign', 'a: +1'],
    ['a huge number', 'a: 12345678901234567890'],
    ['infinity', 'a: .inf'],
    ['a list for a root', '- a'],
    ['text for a root', 'a'],
    ['nothing', ''],
    ['a comment', '# nothing'],
    ['a byte order mark', '\ufeffa: 1'],
    ['carriage returns', 'a: 1\r\nb: 2\r\n'],
    ['a fault after a value', 'a: { b: 1 } c'],
    ['deep nesting', `a: ${'['.repeat(40)}${']'.repeat(40)}`],
  ])('leaves %s to the other library', (_, text) => {
    expect(readPlainYaml(text)).toBeUndefined()
  })

  it('leaves keys to the other library that may be too long for it', () => {
    const key = 'k'.repeat(1100)
    expect(readPlainYaml(`version: v\nprograms:\n  ${key}: {}\n`)).toBeUndefined()
    expect(readPlainYaml('version: v\n"\\U00000061": 1\n')).toEqual({ version: 'v', a: 1 })
  })

  it('agrees with the other library on every sheet of the package', () => {
    const cues = resolve(import.meta.dirname, '../../cues')
    for (const name of readdirSync(cues).filter((file) => file.endsWith('.yaml'))) {
      expectSame(readFileSync(join(cues, name), 'utf8'))
    }
  })

  const scraps = [
    ...['a', 'b', 'seed', 'P1', '1', '-1', '0', '-0', '007', '1.50', '1e3', '.5', '-', '--', '---', '...'],
    ...[
      'true',
      'null',
      'Null',
      '~',
      'yes',
      '"x"',
      "'y'",
      '"',
      "'",
      '&x ',
      '*x',
      '!t ',
      '# c',
      '#',
      ' #',
      ': ',
      ':',
      ' ',
      '  ',
      '    ',
    ],
    ...[
      '\n',
      '\n  ',
      '\n    ',
      '\n\n',
      '{',
      '}',
      '[',
      ']',
      ',',
      ', ',
      '{ ',
      ' }',
      '{}',
      '[]',
      'é',
      '晨',
      '\u00a0',
    ],
    ...[
      'a: ',
      'b:\n  ',
      'c: 1\n',
      '_x: {a: 1}',
      '*',
      '&',
      '!',
      '|',
      '>',
      '?',
      '? ',
      '@',
      '%',
      '`',
      '(',
      '/',
      '\\',
    ],
  ]

  it('agrees with the other library on anything, or leaves it to it', () => {
    let read = 0
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...scraps), { minLength: 1, maxLength: 14 }), (parts) => {
        if (expectSame(parts.join(''))) read++
        if (expectSame(`key: ${parts.join('')}`)) read++
        if (expectSame(`key:\n  in: { ${parts.join('')} }\n  out: x`)) read++
      }),
      { numRuns: 2000, seed: 7 },
    )
    expect(read).toBeGreaterThan(300)
  })

  it('agrees with the other library on maps of maps', () => {
    const key = fc.stringMatching(/^[a-z_][a-z0-9_.-]{0,5}$/)
    const scalar = fc.oneof(
      fc.constantFrom(...scraps),
      fc.integer().map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.stringMatching(/^[ -~]{0,12}$/),
      fc.stringMatching(/^[ -~]{0,12}$/).map((text) => JSON.stringify(text)),
    )
    const comment = fc.constantFrom('', ' # note', '   ')
    const { map } = fc.letrec<{ map: string[]; line: string[] }>((tie) => ({
      map: fc.array(tie('line'), { maxLength: 4 }).map((lines) => lines.flat()),
      line: fc.oneof(
        fc.tuple(key, scalar, comment).map(([name, value, note]) => [`${name}: ${value}${note}`]),
        fc
          .tuple(key, fc.array(fc.tuple(key, scalar), { maxLength: 3 }), comment)
          .map(([name, pairs, note]) => [
            `${name}: { ${pairs.map((pair) => pair.join(': ')).join(', ')} }${note}`,
          ]),
        fc
          .tuple(key, fc.array(scalar, { maxLength: 3 }))
          .map(([name, values]) => [`${name}: [${values.join(', ')}]`]),
        fc
          .tuple(key, tie('map'), comment)
          .map(([name, lines, note]) => [`${name}:${note}`, ...lines.map((line) => `  ${line}`)]),
      ),
    }))
    let read = 0
    fc.assert(
      fc.property(map, (lines) => {
        if (expectSame(lines.join('\n'))) read++
      }),
      { numRuns: 2000, seed: 7 },
    )
    expect(read).toBeGreaterThan(300)
  })
})
