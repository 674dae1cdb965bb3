import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCueSheet } from '../../src/cue-sheet/read.ts'
import { formatError, type PregenError, PregenErrors } from '../../src/errors.ts'
import { EMBEDDED, faultsOf, outline, parse, sheetWith } from './helpers.ts'

const SEED = '    seeds: [1]\n'

/** One fault of a sheet: its place and code; and words that its message or help must have. */
function expectFault(text: string | Uint8Array, place: string, ...words: (string | RegExp)[]): PregenError {
  const faults = faultsOf(text)
  expect(outline(faults)).toEqual([place])
  const [fault] = faults
  for (const word of words) expect(`${fault!.message}\n${fault!.help}`).toMatch(word)
  expect(fault!.help).toBeTruthy()
  expect(fault!.location!.file).toBe('shows/cues.yaml')
  return fault!
}

describe('the file', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pregen-sheet-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  async function readFault(path: string): Promise<PregenError> {
    const error: unknown = await readCueSheet(path, { env: {}, embeddedModels: EMBEDDED }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (error instanceof PregenErrors) return error.errors[0]!
    expect(error).toMatchObject({ name: 'PregenError' })
    return error as PregenError
  }

  it('1: missing', async () => {
    const fault = await readFault(join(folder, 'none.yaml'))
    expect(fault.code).toBe('E_SHEET_MISSING')
    expect(fault.help).toMatch('pregen init')
    const below = await readFault(join(folder, 'none/below.yaml'))
    expect(below.code).toBe('E_SHEET_MISSING')
  })

  it('2: a folder', async () => {
    await mkdir(join(folder, 'sub'))
    const fault = await readFault(join(folder, 'sub'))
    expect(fault).toMatchObject({ code: 'E_SHEET_IS_FOLDER', exitCode: 2 })
  })

  it('a link that leads to itself cannot be read', async () => {
    await symlink('loop.yaml', join(folder, 'loop.yaml'))
    const fault = await readFault(join(folder, 'loop.yaml'))
    expect(fault.code).toBe('E_SHEET_UNREADABLE')
    expect(fault.cause).toBeDefined()
  })

  it('3: empty', async () => {
    await writeFile(join(folder, 'empty.yaml'), '')
    expect((await readFault(join(folder, 'empty.yaml'))).code).toBe('E_SHEET_EMPTY')
    expectFault('# only a comment\n', '1:1 E_SHEET_EMPTY', 'pregen init')
    expectFault('---\n', '1:4 E_SHEET_EMPTY')
  })

  it('4: over 1 MiB', async () => {
    await writeFile(join(folder, 'large.yaml'), `${sheetWith(SEED)}#${'x'.repeat(1024 * 1024)}`)
    expect((await readFault(join(folder, 'large.yaml'))).code).toBe('E_SHEET_TOO_LARGE')
    const exact = `${sheetWith(SEED)}#`.padEnd(1024 * 1024, 'x')
    await writeFile(join(folder, 'exact.yaml'), exact)
    const sheet = await readCueSheet(join(folder, 'exact.yaml'), { env: {}, embeddedModels: EMBEDDED })
    expect(sheet.cues).toHaveLength(1)
  })
})

describe('the text', () => {
  it('5: invalid UTF-8, with the offset of the byte', () => {
    const sound = Buffer.from('version: v1\nroot: é')
    const bytes = Buffer.concat([sound, Buffer.from([0xff, 0x0a])])
    expectFault(bytes, '2:8 E_SHEET_NOT_UTF8', `offset ${sound.length}`, '0xff')
    expectFault(Buffer.from('ÿþ', 'latin1'), '1:1 E_SHEET_NOT_UTF8', 'offset 0')
  })

  it.each([
    ['an overlong slash', [0xc0, 0xaf], 0],
    ['a surrogate', [0x41, 0xed, 0xa0, 0x80], 1],
    ['past the last character', [0xf4, 0x90, 0x80, 0x80], 0],
    ['cut short', [0x41, 0xe2, 0x82], 1],
  ])('5: %s', (_, bytes, offset) => {
    expect(faultsOf(Uint8Array.from(bytes))[0]!.message).toMatch(`offset ${offset} `)
  })

  it('6: nested deeper than 32', () => {
    expectFault(`version: v1\nroot: ${'['.repeat(40)}${']'.repeat(40)}`, '2:38 E_SHEET_TOO_DEEP', '32')
    const block = Array.from({ length: 40 }, (_, depth) => `${' '.repeat(depth)}k:`).join('\n')
    expect(faultsOf(block)[0]!.code).toBe('E_SHEET_TOO_DEEP')
    // What breaks the stack of a recursive parser is refused as calmly.
    expect(faultsOf('['.repeat(1_000_000))[0]!.code).toBe('E_SHEET_TOO_DEEP')
    expect(faultsOf('- '.repeat(500_000))[0]!.code).toBe('E_SHEET_TOO_DEEP')
  })

  it('6: brackets in a prompt are not nesting', () => {
    const brackets = `${'('.repeat(40)}${'['.repeat(40)}`
    expect(parse(sheetWith(`    seeds: [1]\n    negative_prompt: x ${brackets}\n`)).cues).toHaveLength(1)
  })

  it('7: alias bomb', () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 9; i++) {
      const before = String.fromCharCode(96 + i)
      const name = String.fromCharCode(97 + i)
      lines.push(`${name}: &${name} [${Array(10).fill(`*${before}`).join(', ')}]`)
    }
    const startedAt = process.cpuUsage()
    const faults = faultsOf(lines.join('\n'))
    expect(faults.map(({ code }) => code)).toContain('E_ALIAS_BOMB')
    expect(faults.find(({ code }) => code === 'E_ALIAS_BOMB')!.location!.line).toBeGreaterThan(4)
    expect(process.cpuUsage(startedAt).user / 1000).toBeLessThan(5000)
    expect(faultsOf('a: &a [*a]').map(({ code }) => code)).toContain('E_ALIAS_BOMB')
  })

  it('8: tab indent', () => {
    expectFault('version: v1\nprograms:\n\tP0: {}\n', '3:1 E_TAB_INDENT', 'spaces')
    expectFault('version: v1\nprograms:\n  P0:\n  \tsteps: 3\n', '4:3 E_TAB_INDENT', 'spaces')
  })

  it('9: duplicate key', () => {
    expectFault(
      sheetWith('    steps: 3\n    steps: 4\n    seeds: [1]\n'),
      '10:5 E_DUPLICATE_KEY',
      'cues.dawn.steps',
    )
  })

  it('10: several documents', () => {
    expectFault(`${sheetWith(SEED)}---\nversion: v2\n`, '10:1 E_SEVERAL_DOCUMENTS', 'One sheet a file')
  })

  it('11: unknown tag', () => {
    expectFault(sheetWith('    seeds: !!python/tuple [1]\n'), '9:12 E_UNKNOWN_TAG', 'python')
    expectFault(sheetWith('    seeds: [1]\n    steps: !steps 3\n'), '10:12 E_UNKNOWN_TAG')
  })

  it('12: merge key', () => {
    expectFault(sheetWith('    <<: { steps: 3 }\n    seeds: [1]\n'), '9:5 E_MERGE_KEY', 'extends')
  })

  it('13: __proto__', () => {
    expectFault(sheetWith('    __proto__: { steps: 3 }\n    seeds: [1]\n'), '9:5 E_RESERVED_KEY')
    expectFault(sheetWith('    variants: { "__proto__": {}, a: {} }\n'), '9:17 E_RESERVED_KEY')
    expect(Object.hasOwn(Object.prototype, 'steps')).toBe(false)
  })

  it('13: ids that objects have by nature are ordinary', () => {
    const sheet = parse(
      sheetWith('    variants: { constructor: {}, toString: { seed: 2 }, hasOwnProperty: {} }\n'),
    )
    expect(sheet.cues[0]!.variants.map(({ id }) => id)).toEqual(['constructor', 'toString', 'hasOwnProperty'])
    expectFault(sheetWith(SEED).replace('program: P1', 'program: toString'), '7:14 E_UNKNOWN_PROGRAM')
    expectFault(sheetWith(`${SEED}    model: valueOf\n`), '10:12 E_UNKNOWN_MODEL')
  })

  it('other broken YAML is one fault, where it breaks', () => {
    expectFault('version: v1\nprograms: { P0: {}\ncues: 5\n', '3:1 E_YAML_SYNTAX')
    expectFault('version: v1\ncues: *nothing\n', '2:7 E_YAML_SYNTAX', 'nothing')
  })
})

describe('keys', () => {
  it('14: unknown key, at every level, with what was meant', () => {
    expectFault(sheetWith(SEED, 'modles: {}\n'), '2:1 E_UNKNOWN_KEY', 'Did you mean "models"')
    expectFault(sheetWith(SEED, 'defaults: { widht: 64 }\n'), '2:13 E_UNKNOWN_KEY', 'Did you mean "width"')
    expectFault(sheetWith('    sedes: [1]\n    seeds: [1]\n'), '9:5 E_UNKNOWN_KEY', 'Did you mean "seeds"')
    expectFault(
      sheetWith('    variants: { a: { promt: x } }\n'),
      '9:22 E_UNKNOWN_KEY',
      'cues.dawn.variants.a',
      'Did you mean "prompt"',
    )
    expectFault(
      sheetWith(`${SEED}    previews: { methd: full }\n`),
      '10:17 E_UNKNOWN_KEY',
      'Did you mean "method"',
    )
    expectFault(sheetWith(SEED, 'storage: { bucket: b, regoin: auto }\n'), '2:23 E_UNKNOWN_KEY', '"region"')
    expectFault(
      sheetWith(SEED, 'models: { m: { path: x, providr: cpu } }\n'),
      '2:25 E_UNKNOWN_KEY',
      '"provider"',
    )
    expectFault(sheetWith(SEED, 'callback: { url: "https://a.b", onn: run }\n'), '2:33 E_UNKNOWN_KEY', '"on"')
    expectFault(sheetWith(SEED).replace('P0: {}', 'P0: { exends: P1 }'), '3:9 E_UNKNOWN_KEY', '"extends"')
  })

  it('14: a key without a likeness lists what is valid', () => {
    const fault = expectFault(sheetWith(`${SEED}    zzzzzzzz: 1\n`), '10:5 E_UNKNOWN_KEY', 'negative_prompt')
    expect(fault.help).not.toMatch('Did you mean')
  })

  it('15: the root is not a map', () => {
    expectFault('- version: v1\n', '1:1 E_SHEET_NOT_A_MAP', 'a list')
    expectFault('just words\n', '1:1 E_SHEET_NOT_A_MAP', 'single value')
  })

  it('16: no programs, cues or variants', () => {
    expectFault('version: v1\ncues: { a: { program: P0, prompt: x, seeds: [1] } }\n', '1:1 E_NO_PROGRAMS')
    expectFault('version: v1\nprograms: { P0: {} }\n', '1:1 E_NO_CUES')
    expectFault('version: v1\nprograms: { P0: {} }\ncues: {}\n', '3:1 E_NO_CUES')
    expect(outline(faultsOf('version: v1\nprograms: {}\ncues: {}\n'))).toEqual([
      '2:1 E_NO_PROGRAMS',
      '3:1 E_NO_CUES',
    ])
    expectFault(sheetWith(''), '6:3 E_NO_VARIANTS', 'seeds')
    expectFault(sheetWith('    variants: {}\n'), '6:3 E_NO_VARIANTS')
    expectFault(sheetWith('    matrix: {}\n'), '6:3 E_NO_VARIANTS')
    expectFault(sheetWith('    seeds: []\n'), '9:12 E_BAD_VALUE', 'empty list')
    expectFault(sheetWith('    matrix: { seed: [] }\n'), '9:21 E_BAD_VALUE', 'empty list')
    expect(faultsOf(sheetWith('    seeds:\n')).map(({ code }) => code)).toEqual(['E_BAD_VALUE'])
  })

  it('16: a cue without its program', () => {
    const text = 'version: v1\nprograms: { P0: {} }\ncues:\n  a: { prompt: x, seeds: [1] }\n'
    expectFault(text, '4:3 E_MISSING_KEY', 'cues.a.program')
  })

  it('17: more units than the limit, with the count and without making them', () => {
    const axis = `[${Array.from({ length: 100 }, (_, i) => i).join(', ')}]`
    const cue = `    matrix: { seed: ${axis}, steps: ${axis.replace('0', '100')}, batch: ${axis}, width: ${axis} }\n`
    const startedAt = process.cpuUsage()
    const fault = faultsOf(sheetWith(cue)).find(({ code }) => code === 'E_TOO_MANY_UNITS')
    expect(fault!.message).toMatch('100000000 units')
    expect(fault!.location).toMatchObject({ line: 5, column: 1 })
    expect(process.cpuUsage(startedAt).user / 1000).toBeLessThan(2000)
    expect(faultsOf(sheetWith('    seeds: [1, 2, 3]\n'), { maxUnits: 2 })[0]!.message).toMatch(
      '3 units; 2 is',
    )
    expect(parse(sheetWith('    seeds: [1, 2]\n'), { maxUnits: 2 }).cues[0]!.variants).toHaveLength(2)
  })
})

describe('ids', () => {
  const withId = (id: string) => sheetWith(`    variants:\n      ${id}: { seed: 1 }\n`)

  it('18: duplicates', () => {
    expectFault(sheetWith('    variants: { a: {}, a: {} }\n'), '9:24 E_DUPLICATE_ID', 'cues.dawn.variants.a')
    expectFault(sheetWith('    seeds: [1, 1]\n'), '9:16 E_DUPLICATE_ID', 'seed-1')
    expectFault(sheetWith('    variants: { seed-1: {} }\n    seeds: [1]\n'), '10:13 E_DUPLICATE_ID')
    expectFault(sheetWith('    matrix: { prompt: [Red!, red] }\n'), '9:30 E_DUPLICATE_ID', '"red"')
    const crossed = sheetWith('    matrix: { prompt: [a-b, a], prompt_2: [c, b-c] }\n')
    expectFault(crossed, '9:13 E_DUPLICATE_ID', 'a-b-c')
    expectFault(`${sheetWith(SEED)}  dawn: {}\n`, '10:3 E_DUPLICATE_ID', 'cues.dawn')
  })

  it('19: equal after case folding or normalisation', () => {
    expectFault(sheetWith('    variants: { Wide: {}, wide: {} }\n'), '9:27 E_IDS_COLLIDE', 'Wide', 'wide')
    expectFault(sheetWith('    variants: { straße: {}, STRASSE: {} }\n'), '9:29 E_IDS_COLLIDE')
    expectFault(sheetWith('    variants: { caf\u00e9: {}, cafe\u0301: {} }\n'), '9:27 E_IDS_COLLIDE')
    expectFault(sheetWith('    variants: { SEED-1: {} }\n    seeds: [1]\n'), '10:13 E_DUPLICATE_ID', 'SEED-1')
  })

  it('20: numeric ids', () => {
    expectFault(withId('001'), '10:7 E_ID_NOT_TEXT', 'Quote it: "001"')
    expectFault(withId('1e3'), '10:7 E_ID_NOT_TEXT', 'Quote it: "1e3"')
    expectFault(withId('1.10'), '10:7 E_ID_NOT_TEXT', 'Quote it: "1.10"')
    expectFault(withId('true'), '10:7 E_ID_NOT_TEXT', 'Quote it: "true"')
    expectFault(sheetWith(SEED).replace('  dawn:', '  007:'), '6:3 E_ID_NOT_TEXT', '"007"')
    expectFault(
      sheetWith('    matrix: { take: [001] }\n    prompt_template: "{prompt} {take}"\n'),
      '9:22 E_ID_NOT_TEXT',
    )
    expect(parse(withId('"001"')).cues[0]!.variants[0]!.id).toBe('001')
  })

  it.each([
    ['21: ..', '..', 'stands for a folder'],
    ['21: .', '.', 'stands for a folder'],
    ['22: slash', 'a/b', 'slash'],
    ['22: backslash', 'a\\b', 'slash'],
    ['23: NUL', 'a\0b', 'control'],
    ['23: newline', 'a\nb', 'control'],
    ['23: DEL', 'a\x7fb', 'control'],
    ['24: leading -', '-rf', 'begins with'],
    ['24: leading .', '.hidden', 'begins with'],
    ['25: trailing dot', 'a.', 'dot'],
    ['25: trailing space', 'a ', 'space'],
    ['25: CON', 'CON', 'device'],
    ['25: com1.txt', 'com1.txt', 'device'],
    ['27: right-to-left override', 'a\u202egnp', 'invisible'],
    ['27: zero-width space', 'a\u200bb', 'invisible'],
    ['27: zero-width joiner', 'a\u200db', 'invisible'],
    ['27: byte order mark', 'a\ufeffb', 'invisible'],
    ['a colon, which Windows forbids', 'a:b', 'Windows'],
    ['empty', '', 'empty'],
  ])('%s', (_, id, why) => {
    expectFault(withId(JSON.stringify(id)), '10:7 E_BAD_ID', why)
    const asCue = sheetWith(SEED).replace('  dawn:', `  ${JSON.stringify(id)}:`)
    expectFault(asCue, '6:3 E_BAD_ID', why)
  })

  it('26: names over 243 bytes, which is what a live picture leaves, keys over 1024', () => {
    expectFault(withId('x'.repeat(244)), '10:7 E_ID_TOO_LONG', '244 bytes')
    expectFault(withId('é'.repeat(122)), '10:7 E_ID_TOO_LONG', '244 bytes')
    expect(parse(withId('x'.repeat(243))).cues[0]!.variants[0]!.id).toHaveLength(243)
    const long = sheetWith(SEED, `root: ${['r', 's', 't', 'u'].map((c) => c.repeat(243)).join('/')}\n`)
    expectFault(long.replace('dawn', 'd'.repeat(243)), '10:13 E_KEY_TOO_LONG', '1024')
  })

  it.each(['final.png', '12.png', 'timing.json', 'manifest.json', 'Final.PNG', 'final.thumb.webp'])(
    '28: %s is a file that we write',
    (id) => {
      expectFault(withId(JSON.stringify(id)), '10:7 E_ID_IS_FILE_NAME')
    },
  )
})

describe('version and root', () => {
  it('29: bad version', () => {
    const withVersion = (version: string) => sheetWith(SEED).replace('version: v1', `version: ${version}`)
    expectFault(withVersion('1.10'), '1:10 E_BAD_VERSION', 'Quote it: "1.10"')
    expectFault(withVersion('../up'), '1:10 E_BAD_VERSION', 'slash')
    expectFault(withVersion('[a]'), '1:10 E_BAD_VERSION')
    expectFault(withVersion('""'), '1:10 E_BAD_VERSION', 'empty')
    expectFault(sheetWith(SEED).replace('version: v1\n', ''), '1:1 E_NO_VERSION', 'PREGEN_VERSION_ID')
    const fromEnv = faultsOf(sheetWith(SEED), { env: { PREGEN_VERSION_ID: 'a/b' } })
    expect(fromEnv[0]).toMatchObject({ code: 'E_BAD_VERSION', location: undefined })
    expect(fromEnv[0]!.message).toMatch('PREGEN_VERSION_ID')
    expect(faultsOf(sheetWith(SEED), { versionId: '..' })[0]!.message).toMatch('--version-id')
  })

  it('30: a root that leads elsewhere by its name', () => {
    expectFault(sheetWith(SEED, 'root: ../out\n'), '2:7 E_BAD_ROOT', '".."')
    expectFault(sheetWith(SEED, 'root: /abs\n'), '2:7 E_BAD_ROOT')
    expectFault(sheetWith(SEED, 'root: a//b\n'), '2:7 E_BAD_ROOT')
  })
})

describe('settings', () => {
  const withSetting = (setting: string) => sheetWith(`${SEED}    ${setting}\n`)

  it.each(['0', '-4', '1.5', '1e9', '.nan', 'many', '"20"', '[20]', '{ a: 1 }'])('31: steps %s', (steps) => {
    expectFault(withSetting(`steps: ${steps}`), '10:12 E_BAD_STEPS', 'from 1 to 1000')
  })

  it.each(['100', '129', '0', '-64', '64.5', '1000000', 'wide'])('32: width %s', (width) => {
    expectFault(withSetting(`width: ${width}`), '10:12 E_BAD_SIZE', 'multiple of 8')
    expectFault(withSetting(`height: ${width}`), '10:13 E_BAD_SIZE', 'multiple of 8')
  })

  it('33: width × height over the cap, from two levels', () => {
    const text = sheetWith(`${SEED}    height: 8192\n`, 'defaults: { width: 4096 }\n')
    expectFault(text, '11:13 E_TOO_MANY_PIXELS', '33554432')
  })

  it.each(['.nan', '.inf', '-.inf', '-1', '101', 'strong'])('34: guidance_scale %s', (guidance) => {
    expectFault(withSetting(`guidance_scale: ${guidance}`), '10:21 E_BAD_GUIDANCE', 'from 0 to 100')
  })

  it('35: a seed beyond 2^53 must be quoted, digit for digit', () => {
    const help = expectFault(withSetting('seed: 18446744073709551615'), '10:11 E_SEED_UNQUOTED').help
    expect(help).toMatch('"18446744073709551615"')
    expectFault(sheetWith('    seeds: [9007199254740993]\n'), '9:13 E_SEED_UNQUOTED', '"9007199254740993"')
    expectFault(sheetWith('    matrix: { seed: [1, 9007199254740993] }\n'), '9:25 E_SEED_UNQUOTED')
    expectFault(withSetting('seed: "18446744073709551616"'), '10:11 E_BAD_SEED', '2^64')
    expect(parse(withSetting('seed: 9007199254740991')).cues).toHaveLength(1)
    const quoted = parse(sheetWith('    variants: { a: { seed: "18446744073709551615" } }\n'))
    expect(quoted.cues[0]!.variants[0]!.settings.seed).toBe(2n ** 64n - 1n)
  })

  it.each(['-1', '1.5', 'lucky', '""', '"-3"', '-9007199254740993'])('36: seed %s', (seed) => {
    expectFault(withSetting(`seed: ${seed}`), '10:11 E_BAD_SEED', 'from 0')
  })

  it('37: no prompt is a fault, an explicit empty one a warning', () => {
    const bare = sheetWith('    variants: { a: {}, b: { prompt: x } }\n').replace('    prompt: a hill\n', '')
    expectFault(bare, '8:17 E_NO_PROMPT', 'cues.dawn.variants.a')
    expectFault(sheetWith(SEED).replace('    prompt: a hill\n', ''), '6:3 E_NO_PROMPT', 'cues.dawn has')
    const sheet = parse(sheetWith(SEED).replace('a hill', '""'))
    expect(sheet.warnings).toEqual([
      {
        code: 'W_EMPTY_PROMPT',
        message: 'cues.dawn.prompt is empty.',
        location: { file: 'shows/cues.yaml', line: 8, column: 13 },
      },
    ])
  })

  it('39: unknown scheduler', () => {
    expectFault(withSetting('scheduler: eular'), '10:16 E_UNKNOWN_SCHEDULER', 'Did you mean "euler"', 'unipc')
    expectFault(withSetting('scheduler: { name: dpm+2m }'), '10:24 E_UNKNOWN_SCHEDULER', '"dpm++2m"')
    expectFault(
      withSetting('scheduler: EulerDiscreteSheduler'),
      '10:16 E_UNKNOWN_SCHEDULER',
      '"EulerDiscreteScheduler"',
    )
    expectFault(sheetWith('    matrix: { scheduler: [euler, eular] }\n'), '9:34 E_UNKNOWN_SCHEDULER')
  })

  it('40: undefined program or model', () => {
    expectFault(sheetWith(SEED).replace('program: P1', 'program: PX'), '7:14 E_UNKNOWN_PROGRAM', 'P0, P1')
    expectFault(sheetWith(SEED).replace('P1: {}', 'P1: { extends: PO }'), '4:18 E_UNKNOWN_PROGRAM', '"P0"')
    expectFault(withSetting('model: bakdrop'), '10:12 E_UNKNOWN_MODEL', 'Did you mean "backdrop"')
    expectFault(sheetWith(SEED, 'defaults: { model: sdxl }\n'), '2:20 E_UNKNOWN_MODEL', 'backdrop')
  })

  it('41: cyclic inheritance, told once', () => {
    const cycle = sheetWith(SEED)
      .replace('P0: {}', 'P0: { extends: P1 }')
      .replace('P1: {}', 'P1: { extends: P2 }\n  P2: { extends: P0 }')
    expectFault(cycle, '3:18 E_EXTENDS_CYCLE', 'P0 → P1 → P2 → P0')
    expectFault(sheetWith(SEED).replace('P1: {}', 'P1: { extends: P1 }'), '4:18 E_EXTENDS_CYCLE', 'P1 → P1')
  })

  it('42: unset variable', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the sheet's own syntax
    const text = withSetting('negative_prompt: no ${PREGEN_WHAT} and ${PREGEN_WHAT_ELSE}')
    expect(outline(faultsOf(text))).toEqual(['10:22 E_ENV_UNSET', '10:22 E_ENV_UNSET'])
    expect(faultsOf(text)[0]!.message).toMatch('WHAT')
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the sheet's own syntax
    expectFault(withSetting('model: ${PREGEN_toString}'), '10:12 E_ENV_UNSET', 'toString')
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the sheet's own syntax
    expectFault(withSetting('prompt_2: "${not a name}"'), '10:15 E_BAD_INTERPOLATION')
  })
})

it('reports everything at once, in the order of the file', () => {
  const text = `version: 1.10
modles: {}
defaults: { steps: 0, guidance_scale: .nan }
programs:
  P1: { extends: P2 }
  P2: { extends: P1, scheduler: eular }
cues:
  001: { program: P1, prompt: x, variants: { CON: {}, "..": {} } }
  night: { program: P9, prompt: y, seeds: [-1] }
  night: {}
`
  expect(outline(faultsOf(text))).toEqual([
    '1:10 E_BAD_VERSION',
    '2:1 E_UNKNOWN_KEY',
    '3:20 E_BAD_STEPS',
    '3:39 E_BAD_GUIDANCE',
    '5:18 E_EXTENDS_CYCLE',
    '6:33 E_UNKNOWN_SCHEDULER',
    '8:3 E_ID_NOT_TEXT',
    '8:46 E_BAD_ID',
    '8:55 E_BAD_ID',
    '9:21 E_UNKNOWN_PROGRAM',
    '9:44 E_BAD_SEED',
    '10:3 E_DUPLICATE_ID',
  ])
})

it('tells of a seed beyond the limit alone, not that its cue has no variants', () => {
  expect(outline(faultsOf(sheetWith('    seeds: ["18446744073709551616"]\n')))).toEqual(['9:13 E_BAD_SEED'])
})

it('shows what a terminal would obey or hide', () => {
  const [fault] = faultsOf(sheetWith(`${SEED}    "\\e[31m\\u202edab": 1\n`))
  expect(formatError(fault!)).toContain('has no key "\\u{1b}[31m\\u{202e}dab".')
})

it('shows a fault as the terminal does', () => {
  const [fault] = faultsOf(sheetWith(`${SEED}    scheduler: eular\n`))
  expect(formatError(fault!)).toMatch(
    /^shows\/cues\.yaml:10:16 {2}E_UNKNOWN_SCHEDULER\n {2}cues\.dawn\.scheduler is "eular"\.\n {2}Did you mean "euler"\? Valid: /,
  )
})
