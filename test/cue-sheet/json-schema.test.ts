import { describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { cueSheetJsonSchema } from '../../src/cue-sheet/json-schema.ts'
import { starterSheet } from '../../src/cue-sheet/starter.ts'
import { parse, sheetWith } from './helpers.ts'
import { findSchemaFaults } from './light-validator.ts'

const SCHEMA = cueSheetJsonSchema()
const check = (yaml: string) => findSchemaFaults(SCHEMA, parseYaml(yaml))
const SEED = '    seeds: [1]\n'

describe('the JSON Schema', () => {
  it('is draft 2020-12 and describes every key', () => {
    expect(SCHEMA.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    const undescribed: string[] = []
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return
      for (const [key, value] of Object.entries(node)) {
        if (key === 'properties') {
          for (const [name, property] of Object.entries(value)) {
            // Names and free keys of a scheduler map are diffusers' own.
            if (!Object.hasOwn(Object(property), 'description') && name !== 'name')
              undescribed.push(`${path}.${name}`)
          }
        }
        visit(value, `${path}.${key}`)
      }
    }
    visit(SCHEMA, '')
    expect(undescribed).toEqual([])
  })

  it('accepts what the parser accepts', () => {
    const sound = [
      starterSheet(),
      sheetWith(SEED),
      sheetWith(
        SEED,
        'models: { a: x, b: { path: y, provider: cuda } }\ndefaults: { model: a, seed: "18446744073709551615" }\n',
      ),
      sheetWith(
        `${SEED}    steps: null\n    scheduler: { name: euler, use_karras_sigmas: true, shift: 3 }\n    previews: { every: 2 }\n`,
      ),
      sheetWith(
        `${SEED}    scheduler: lcm\n    previews: false\n    image: a.png\n    denoise_strength: 0.5\n`,
      ),
      sheetWith(
        '    matrix: { light: [a, b], seed: [1, 2] }\n    prompt_template: "{light}"\n',
        'storage: { bucket: b }\n',
      ),
      sheetWith('    variants: { a: {}, b: { seed: 3 } }\n', 'callback: https://a.b\n'),
    ]
    for (const text of sound) {
      expect(parse(text).cues.length).toBeGreaterThan(0)
      expect(check(text)).toEqual([])
    }
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the sheet's own syntax
    expect(check(sheetWith(`${SEED}    steps: "${'${STEPS}'}"\n`))).toEqual([])
  })

  it.each([
    ['an unknown key', sheetWith(`${SEED}    stpes: 1\n`)],
    ['steps 0', sheetWith(`${SEED}    steps: 0\n`)],
    ['steps as text', sheetWith(`${SEED}    steps: many\n`)],
    ['width 100', sheetWith(`${SEED}    width: 100\n`)],
    ['a bare version', sheetWith(SEED).replace('v1', '1.10')],
    ['no program', sheetWith(SEED).replace('    program: P1\n', '')],
    ['no cues', 'version: v\nprograms: {}\n'],
    ['a bad method', sheetWith(`${SEED}    previews: { method: fast }\n`)],
    ['a storage without bucket', sheetWith(SEED, 'storage: { region: auto }\n')],
  ])('refuses %s', (_, text) => {
    expect(check(text)).not.toEqual([])
  })
})

describe('the starter sheet', () => {
  it('is sound, and runs on the embedded model', () => {
    const sheet = parse(starterSheet())
    expect(sheet.models.backdrop!.embedded).toBe(true)
    expect(sheet.warnings).toEqual([])
    expect(sheet.cues.map(({ id, variants }) => `${id}:${variants.length}`)).toEqual(['dawn:2', 'storm:3'])
  })

  it('stays sound when its commented parts are taken in', () => {
    const whole = starterSheet().replace(/^# (models:|storage:| {2}\S)/gm, '$1')
    expect(whole).not.toBe(starterSheet())
    const sheet = parse(whole)
    expect(sheet.storage!.bucket).toBe('show')
  })
})
