// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the sheet's own syntax
import { describe, expect, it } from 'vitest'
import { slugOf } from '../../src/cue-sheet/ids.ts'
import { interpolate } from '../../src/cue-sheet/interpolate.ts'
import { parseCueSheet } from '../../src/cue-sheet/parse.ts'
import { parseTemplate } from '../../src/cue-sheet/template.ts'
import { formatErrors, PregenErrors } from '../../src/errors.ts'
import { markupKind } from '../../src/images/markup-kind.ts'
import { parseJsonText } from '../../src/model-files/json-text.ts'
import { printable, printableJson } from '../../src/printable.ts'
import { redact } from '../../src/storage/redact.ts'
import { parsePromptWeights } from '../../src/text/prompt-weights.ts'
import { trimOf } from '../../src/trim.ts'

/** Processor time in ms, the least of three: what others do on the machine only adds to it. */
function timeOf(work: () => void): number {
  const times = Array.from({ length: 3 }, () => {
    const start = process.cpuUsage()
    work()
    return process.cpuUsage(start).user / 1000
  })
  return Math.min(...times)
}

/** Eight times the input: linear work takes eight times the time, quadratic work 64 times. */
function expectLinear(work: (size: number) => void, size: number): void {
  work(size)
  const [small, middle, large] = [size, size * 8, size * 64].map((each) => timeOf(() => work(each)))
  // Below a tenth of a second a pause of the machine is most of what is measured.
  expect(middle! / Math.max(small!, 4)).toBeLessThan(30)
  expect(large! / Math.max(middle!, 12)).toBeLessThan(30)
}

const PIECES = [
  'a',
  ' ',
  '-',
  '/',
  '<!-- -->',
  '<!--',
  '"',
  '\\"',
  'a.',
  '${',
  '${A',
  '{',
  '{a',
  '(',
  ':',
  ': ',
]
const MORE = [
  'BREAK',
  ' BREAK',
  '://',
  'a://',
  'authorization: ',
  'Signature=',
  '?',
  '\n',
  '\t',
  '\u0301',
  '##',
]

const READERS: Record<string, (text: string) => void> = {
  'image sniffing': (text) => void markupKind(text),
  slugs: (text) => void slugOf(text),
  trims: (text) => void trimOf(`a${text}b`, '-/.'),
  variables: (text) => void interpolate(text, {}, () => true),
  templates: (text) => void parseTemplate(text),
  "Python's JSON": (text) => {
    try {
      parseJsonText(text, { maxDepth: 64, maxValues: 1_000_000 })
    } catch {
      // Most of it is none: the work on it counts.
    }
  },
  'texts of servers': (text) => void redact(text),
  lines: (text) => void printable(text),
  JSON: (text) => void printableJson(text),
  'prompt weights': (text) => {
    try {
      parsePromptWeights(text)
    } catch {
      expect(text).toMatch(/[([]/)
    }
  },
}

describe.each(Object.entries(READERS))('%s', (_, read) => {
  it.each([...PIECES, ...MORE])('take linear time on %j, again and again', (piece) => {
    expectLinear((size) => read(piece.repeat(size)), 300)
  })
})

const HEAD = 'version: v\nprograms: { P0: {} }\n'
const listed = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('')
const cue = (variants: string) =>
  `${HEAD}cues:\n  a:\n    program: P0\n    prompt: x\n    variants:\n${variants}`
const CUE = 'cues: { a: { program: p0, prompt: x, seeds: [1] } }\n'

const SHEETS: Record<string, (count: number) => string> = {
  'a chain of programs': (n) =>
    `version: v\nprograms:\n  p0: {}\n${listed(n, (i) => `  p${i + 1}: {extends: p${i}}\n`)}${CUE}`,
  'a chain from its end': (n) =>
    `version: v\nprograms:\n${listed(n, (i) => `  p${n - i}: {extends: p${n - i - 1}}\n`)}  p0: {}\n${CUE}`,
  'a circle of programs': (n) =>
    `version: v\nprograms:\n${listed(n, (i) => `  p${i}: {extends: p${(i + 1) % n}}\n`)}${CUE}`,
  'circles of one program': (n) =>
    `version: v\nprograms:\n${listed(n, (i) => `  p${i}: {extends: p${i}}\n`)}${CUE}`,
  'unknown programs': (n) =>
    `version: v\nprograms:\n${listed(n, (i) => `  p${i}: {}\n`)}cues:\n${listed(n, (i) => `  c${i}: {program: q${i}, prompt: x, seeds: [1]}\n`)}`,
  'unknown models': (n) =>
    `models:\n${listed(n, (i) => `  m${i}: x\n`)}${cue(listed(n, (i) => `      v${i}: { model: n${i} }\n`))}`,
  'unknown keys': (n) => `${HEAD}${CUE}${listed(n, (i) => `k${i}: 1\n`)}`,
  'faulty variants': (n) => cue(listed(n, (i) => `      v${i}: { steps: x }\n`)),
  'faulty seeds': (n) => `${HEAD}cues: { a: { program: P0, prompt: x, seeds: [${'-1,'.repeat(n)}1] } }\n`,
  'one id under which all is wrong': (n) =>
    cue(listed(n, (i) => `      v${i}: { steps: x }\n`)).replace('  a:', `  ${'x'.repeat(400)}:`),
  'an alias for a long text': (n) => `${HEAD}x: &a "${'$${'.repeat(n)}"\ny: [${'*a ,'.repeat(n)}*a ]\n`,
  'names that collide': (n) =>
    `${HEAD}cues:\n${listed(n, (i) => `  ${i % 2 ? 'A' : 'a'}${i >> 1}: {program: P0, prompt: x, seeds: [1]}\n`)}`,
  'unset variables': (n) => `x: [${'"${PREGEN_Q}",'.repeat(n)}1]\n`,
  'refused variables': (n) => `x: [${listed(n, (i) => `"\${S${i}}",`)}1]\n`,
  'unknown tags': (n) => `${HEAD}${listed(n, (i) => `k${i}: !t${i} 1\n`)}`,
  'merge keys': (n) => `x: &a {b: 1}\n${listed(n, (i) => `k${i}: {<<: *a }\n`)}`,
  'aliases of nothing': (n) => listed(n, (i) => `k${i}: *b${i}\n`),
  'broken flows': (n) => `x: {${'a b: ]'.repeat(n)}`,
  placeholders: (n) =>
    `${HEAD}cues: { a: { program: P0, prompt: x, prompt_template: "${listed(Math.min(n, 3000), (i) => `{a${i}}`)}", seeds: [${listed(n, (i) => `${i},`)}1] } }\n`,
}

/** The faults of a sheet as they are shown. */
function faceOf(text: string): string {
  try {
    parseCueSheet(Buffer.from(text), { file: 'c.yaml', env: {}, embeddedModels: { backdrop: '/b' } })
    return ''
  } catch (error) {
    if (error instanceof PregenErrors) return formatErrors(error.errors, error.more).join('\n')
    throw error
  }
}

describe('a sheet', () => {
  it.each(Object.entries(SHEETS))('of %s takes linear time, and is told of in a page', (_, sheet) => {
    expectLinearSheet(sheet)
    const face = faceOf(sheet(10_000))
    expect(face.length).toBeLessThan(64 * 1024)
  })

  it.each([
    [
      'a matrix of millions',
      `${HEAD}cues: { a: { program: P0, prompt: x, matrix: { seed: [${listed(9000, (i) => `${i},`)}1], steps: [${listed(999, (i) => `${i + 1},`)}1] } } }\n`,
      'E_TOO_MANY_UNITS',
    ],
    [
      'a list of a million',
      `${HEAD}cues: { a: { program: P0, prompt: x, seeds: [${'1,'.repeat(300_000)}1] } }\n`,
      'E_TOO_MANY_UNITS',
    ],
    [
      'a thousand axes',
      `${HEAD}cues: { a: { program: P0, prompt: x, matrix: { ${listed(1000, (i) => `a${i}: [b],`)} seed: [1] } } }\n`,
      'E_BAD_VALUE',
    ],
    [
      'a template that makes a book',
      `${HEAD}cues: { a: { program: P0, prompt: ${'p'.repeat(19_000)}, prompt_template: "${'{prompt}'.repeat(150)}", seeds: [1] } }\n`,
      'E_BAD_TEMPLATE',
    ],
    [
      'templates that fill the memory',
      `${HEAD}cues: { a: { program: P0, prompt: ${'p'.repeat(19_000)}, prompt_template: "{prompt}!", seeds: [${listed(9000, (i) => `${i},`)}9999] } }\n`,
      'E_TOO_MANY_UNITS',
    ],
    ['a key of a megabyte', `${HEAD}${CUE}${'x'.repeat(900_000)}: 1\n`, 'E_YAML_SYNTAX'],
    [
      'a name of a megabyte',
      `${HEAD}cues: { a: { program: ${'x'.repeat(900_000)}, prompt: x, seeds: [1] } }\n`,
      'E_UNKNOWN_PROGRAM',
    ],
    ['a depth of a hundred thousand', `x: ${'{a: '.repeat(100_000)}`, 'E_SHEET_TOO_DEEP'],
  ])('with %s is refused in a few lines', (_, text, code) => {
    const face = faceOf(text)
    expect(face).toContain(code)
    expect(face.length).toBeLessThan(4000)
  })

  it('with hundreds of empty prompts has fifty warnings and a number', () => {
    const sheet = parseCueSheet(Buffer.from(cue(listed(300, (i) => `      v${i}: { prompt: "" }\n`))), {
      file: 'c',
      env: {},
      embeddedModels: { backdrop: '/b' },
    })
    expect(sheet.warnings).toHaveLength(51)
    expect(sheet.warnings.at(-1)).toMatchObject({
      code: 'W_MORE_WARNINGS',
      message: 'There are 250 more warnings like these.',
    })
  })
})

function expectLinearSheet(sheet: (count: number) => string): void {
  faceOf(sheet(150))
  const [small, large] = [150, 150 * 16].map((count) => timeOf(() => void faceOf(sheet(count))))
  // Linear work takes 16 times the time, quadratic 256 times.
  expect(large! / Math.max(small!, 8)).toBeLessThan(80)
}
