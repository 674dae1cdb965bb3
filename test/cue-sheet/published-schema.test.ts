import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { cueSheetJsonSchema } from '../../src/cue-sheet/json-schema.ts'

it('cues/cue-sheet.schema.json is what `pregen schema` prints', () => {
  const published = readFileSync(join(import.meta.dirname, '../../cues/cue-sheet.schema.json'), 'utf8')
  expect(published, 'node bin/pregen.js schema > cues/cue-sheet.schema.json').toBe(
    `${JSON.stringify(cueSheetJsonSchema(), null, 2)}\n`,
  )
})
