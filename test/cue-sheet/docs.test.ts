import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isMap, parseDocument } from 'yaml'
import { callbackMapSchema, modelSchema, sheetSchema, storageSchema } from '../../src/cue-sheet/schema.ts'
import { rowOf, SETTING_KEYS } from '../../src/cue-sheet/setting-types.ts'
import { filmMapSchema, previewsMapSchema } from '../../src/cue-sheet/setting-values.ts'
import { isKnownModel, KNOWN_MODELS, sheetFor } from '../../src/cue-sheet/starter.ts'
import { SCHEDULER_NAMES } from '../../src/diffusion/scheduler.ts'
import { parse } from './helpers.ts'

const DOCS = readFileSync(resolve(import.meta.dirname, '../../docs/cue-sheet.md'), 'utf8')
const BLOCKS = [...DOCS.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!)

/** An example made whole with what it leaves out. */
function complete(block: string): string {
  const document = parseDocument(block)
  const { contents } = document
  if (!isMap(contents)) throw new Error(`an example is no map: ${block}`)
  const has = (key: string) => contents.has(key)
  const programs = { P1: {}, P4: {} }
  if (!has('version')) document.set('version', 'v')
  if (!has('programs')) document.set('programs', programs)
  if (!has('cues')) {
    const id = isMap(contents.get('programs')) ? document.getIn(['programs']) : undefined
    const first = isMap(id) ? String(id.items[0]!.key) : 'P1'
    const model = has('models') ? { model: 'backdrop' } : {}
    document.set('cues', { c: { program: first, prompt: 'x', seeds: [1], ...model } })
  }
  return String(document)
}

describe('docs/cue-sheet.md', () => {
  it('speaks of every key and every scheduler', () => {
    const keys = [
      ...Object.keys(sheetSchema.shape),
      ...SETTING_KEYS,
      ...Object.keys(modelSchema.shape),
      ...Object.keys(storageSchema.shape),
      ...Object.keys(callbackMapSchema.shape),
      ...Object.keys(previewsMapSchema.shape),
      ...Object.keys(filmMapSchema.shape),
      ...['program', 'variants', 'seeds', 'matrix', 'extends', 'name'],
      ...SCHEDULER_NAMES,
    ]
    expect(keys.filter((key) => !DOCS.includes(`\`${key}\``) && !DOCS.includes(`\`${key}:`))).toEqual([])
  })

  it('has the line of each setting, in the order of the table', () => {
    const lines = SETTING_KEYS.map((key) => `| \`${key}\` | ${rowOf(key).docs.join(' | ')} |`)
    expect(DOCS).toContain(`| Key | Type and range | Default | |\n|---|---|---|---|\n${lines.join('\n')}\n`)
  })

  it.each(BLOCKS.map((block, index) => [index + 1, block]))('example %i is sound', (_, block) => {
    const sheet = parse(complete(String(block)), { env: { PREGEN_BUILD_ID: 'b1', PREGEN_HOUR: 'dawn' } })
    expect(sheet.cues.length).toBeGreaterThan(0)
  })

  it('the matrix example makes the ids that it says', () => {
    const block = BLOCKS.find((each) => each.includes('Deep Night'))!
    const said = /# variants (.*)/.exec(block)![1]!.split(', ')
    expect(parse(complete(block)).cues[0]!.variants.map(({ id }) => id)).toEqual(said)
  })
})

describe('sheets for published models', () => {
  it.each(Object.keys(KNOWN_MODELS).filter(isKnownModel))('%s is read without a fault', (model) => {
    const sheet = parse(sheetFor(model))
    expect(sheet.models[model]).toMatchObject({ embedded: false })
    expect(sheet.cues).toHaveLength(2)
    expect(sheet.warnings).toEqual([])
  })

  it('have the settings of the table in docs/models.md', () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../docs/models.md'), 'utf8')
    for (const settings of Object.values(KNOWN_MODELS)) expect(page).toContain(`\`${settings.join(', ')}\``)
  })
})
