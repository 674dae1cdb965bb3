import { expect, it } from 'vitest'
import { rowOf, SETTING_KEYS, SETTING_ROWS } from '../../src/cue-sheet/setting-types.ts'
import { FAMILIES } from '../../src/families/index.ts'

it('names each setting once, but for what is deprecated', () => {
  const names = SETTING_ROWS.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  const deprecated = SETTING_KEYS.filter((key) => rowOf(key).deprecatedFor !== undefined)
  expect(deprecated).toEqual(['reference_strength'])
})

it('families take the settings that are not for all, each of them some family', () => {
  const some = SETTING_ROWS.filter(({ onlySome }) => onlySome).map(({ name }) => name)
  const taken = new Set(FAMILIES.flatMap(({ takes }): readonly string[] => takes))
  expect([...taken].sort()).toEqual([...some].sort())
})

it('what decides pixels or files is part of the digest', () => {
  const without = SETTING_ROWS.filter(({ digest }) => digest === undefined).map(({ name }) => name)
  // The template is in the prompt; a film is made of files that are there.
  expect(without).toEqual(['promptTemplate', 'film'])
})
