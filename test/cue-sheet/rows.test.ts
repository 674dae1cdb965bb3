import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readCueSheet, readSheetText } from '../../src/cue-sheet/read.ts'
import { readRows } from '../../src/cue-sheet/row-file.ts'
import { PregenErrors } from '../../src/errors.ts'
import { temporaryFolder } from '../support/temp.ts'
import { EMBEDDED, faultsOf, parse } from './helpers.ts'

const OPTIONS = { env: {}, embeddedModels: EMBEDDED }

async function sheetFor(file: string, content: string | Buffer, cue = '') {
  const folder = await temporaryFolder()
  writeFileSync(join(folder, file), content)
  const path = join(folder, 'cues.yaml')
  writeFileSync(path, `version: v1\nprograms: { P1: {} }\ncues:\n  c: { program: P1, rows: ${file}${cue} }\n`)
  return path
}

const variantsOf = async (file: string, content: string | Buffer, cue?: string) =>
  (await readCueSheet(await sheetFor(file, content, cue), OPTIONS)).cues[0]!.variants

async function faultsIn(file: string, content: string | Buffer, cue?: string) {
  const path = await sheetFor(file, content, cue)
  try {
    await readCueSheet(path, OPTIONS)
  } catch (error) {
    if (error instanceof PregenErrors) {
      return error.errors.map(
        ({ code, location, message }) =>
          `${location?.file === path ? 'sheet' : location?.file}:${location?.line} ${code} ${message}`,
      )
    }
    throw error
  }
  throw new Error('no fault was reported')
}

describe('rows of CSV', () => {
  test('are variants: settings, template variables, ids', async () => {
    const csv =
      '\ufeffid,prompt,light,steps,thumbnail,seed\r\nwide,"a hill, ""far""",dawn,20,true,18446744073709551615\r\n\r\n,tree,,,,\r\n'
    const variants = await variantsOf('p.csv', csv, ', prompt_template: "{prompt} at {light}"')
    expect(
      variants.map(({ id, settings: { prompt, steps, thumbnail, seed } }) => [
        id,
        prompt,
        steps,
        thumbnail,
        seed,
      ]),
    ).toEqual([
      ['wide', 'a hill, "far" at dawn', 20, true, 18446744073709551615n],
      ['row-2', 'tree at ', undefined, undefined, undefined],
    ])
  })

  test('keep text that reads like a number where text is wanted', async () => {
    const [variant] = await variantsOf('p.csv', 'prompt,negative_prompt\n1984,true\n')
    expect(variant?.settings).toMatchObject({ prompt: '1984', negativePrompt: 'true' })
  })

  test.each([
    ['a value', 'prompt,steps\nx,5\n"y\nz",0\n', 'p.csv:3 E_BAD_STEPS cues.c.rows[1].steps is 0.'],
    [
      'a value after a cell of two lines',
      'prompt,steps\n"y\nz",5\n\nx,-1\n',
      'p.csv:5 E_BAD_STEPS cues.c.rows[1].steps is -1.',
    ],
    [
      'a random seed',
      'prompt,seed\nx,-1\n',
      'p.csv:2 E_BAD_SEED cues.c.rows[0].seed is -1, which stands for a random seed elsewhere.',
    ],
    ['an id', 'id,prompt\na/b,x\n', 'p.csv:2 E_BAD_ID The variant id "a/b" has a slash in it.'],
    [
      'two ids',
      'id,prompt\na,x\nA,x\n',
      'p.csv:3 E_DUPLICATE_ID cues.c has two variants "A" (the other is "a").',
    ],
    ['a column', 'prompt,stpes\nx,5\n', 'p.csv:1 E_ROWS_COLUMN The column "stpes" is no setting'],
    ['too many cells', 'prompt\nx, y\n', 'p.csv:2 E_ROWS_SYNTAX The row has 2 cells'],
    ['an open quote', 'prompt\nx\n"y\n', 'p.csv:3 E_ROWS_SYNTAX This is no valid CSV'],
    ['a column twice', 'prompt,prompt\nx,y\n', 'p.csv:1 E_ROWS_SYNTAX Two columns are called "prompt".'],
    ['no rows', 'prompt\n', 'p.csv:1 E_ROWS_SYNTAX The file has no rows.'],
  ])('%s at fault is told with its line', async (_, csv, fault) => {
    const faults = await faultsIn('p.csv', csv)
    expect(faults[0]).toContain(fault)
    expect(faults).toHaveLength(1)
  })

  test('that is not UTF-8, or too long, is refused', async () => {
    expect(await faultsIn('p.csv', Buffer.from('prompt\ncaf\xe9\n', 'latin1'))).toEqual([
      'p.csv:2 E_ROWS_SYNTAX A byte here is not UTF-8.',
    ])
    expect((await faultsIn('p.csv', 'x'.repeat(1024 * 1024 + 1)))[0]).toContain(
      'sheet:4 E_ROWS_FILE cues.c.rows: the file is larger than 1 MiB.',
    )
  })
})

describe('rows of JSON Lines', () => {
  test('have values of every type, and take settings back with null', async () => {
    const lines =
      '{"id":"a","prompt":"x","steps":9,"scheduler":{"name":"euler"}}\n\n{"prompt":"y","negative_prompt":null,"light":3}\n'
    const variants = await variantsOf(
      'p.jsonl',
      lines,
      ', negative_prompt: fog, prompt_template: "{prompt} {light}"',
    )
    expect(
      variants.map(({ id, settings }) => [id, settings.prompt, settings.steps, settings.negativePrompt]),
    ).toEqual([
      ['a', 'x ', 9, 'fog'],
      ['row-2', 'y 3', undefined, undefined],
    ])
  })

  test.each([
    ['{"prompt":"x"}\n{"prompt":\n', 'p.jsonl:2 E_ROWS_SYNTAX This line is no JSON object.'],
    ['{"prompt":"x"}\n[1]\n', 'p.jsonl:2 E_ROWS_SYNTAX This line is no JSON object.'],
    [
      '{"prompt":"x"}\n\n{"prompt":"x","steps":"many"}\n',
      'p.jsonl:3 E_BAD_STEPS cues.c.rows[1].steps is "many".',
    ],
  ])('%s', async (lines, fault) => {
    expect(await faultsIn('p.jsonl', lines)).toEqual([expect.stringContaining(fault)])
  })
})

test.each([
  ['gone.csv', 'there is no such file'],
  ['folder.csv', 'this is no file'],
  ['p.txt', 'the file is neither .csv nor .jsonl'],
])('%s is told at the line of the sheet', async (name, why) => {
  const folder = await temporaryFolder()
  mkdirSync(join(folder, 'folder.csv'))
  const text = `version: v1\nprograms: { P1: {} }\ncues:\n  c: { program: P1, prompt: x, rows: ${name} }\n`
  const reading = readSheetText(Buffer.from(text), { ...OPTIONS, file: join(folder, 'cues.yaml') })
  await expect(reading).rejects.toThrow(
    `cues.yaml:4:38  E_ROWS_FILE\n  cues.c.rows: ${why}`.split('\n')[1]!.trim(),
  )
})

test('rows stand beside variants, and not beside seeds', async () => {
  expect(
    (await variantsOf('p.csv', 'prompt\nx\n', ', variants: { own: { prompt: y } }')).map(({ id }) => id),
  ).toEqual(['own', 'row-1'])
  expect((await faultsIn('p.csv', 'steps\n5\n', ', prompt: x, seeds: [1]'))[0]).toContain(
    'E_SEEDS_AND_MATRIX cues.c has both rows and seeds.',
  )
})

test('20,000 cells with quotes are read in linear time', () => {
  expect(readRows(Buffer.from(`a\n${'""""\n'.repeat(20_000)}`), 'p.csv')).toHaveLength(20_000)
})

describe('variables of targets alone', () => {
  const text =
    'version: v1\nprograms: { P1: {} }\nstorage: { bucket: "${PREGEN_BUCKET}" }\ncallback: { url: "https://x.org/${HOOK}" }\ncues:\n  c: { program: P1, prompt: x, seeds: [1] }\n'

  test('are needed by a run', () => {
    expect(faultsOf(text).map(({ code }) => code)).toEqual(['E_ENV_UNSET', 'E_ENV_NOT_ALLOWED'])
  })

  test('and not by a plan, which leaves out what it cannot read', () => {
    expect(parse(text, { withoutTargets: true })).toMatchObject({ storage: null, callback: null })
    const env = { PREGEN_BUCKET: 'show' }
    expect(parse(text, { withoutTargets: true, env })).toMatchObject({
      storage: { bucket: 'show' },
      callback: null,
    })
  })

  test('others are', () => {
    const prompt = text.replace('prompt: x', 'prompt: "${PREGEN_HOUR}"')
    expect(faultsOf(prompt, { withoutTargets: true }).map(({ code }) => code)).toEqual(['E_ENV_UNSET'])
  })
})
