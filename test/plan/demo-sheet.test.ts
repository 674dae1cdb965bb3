import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { parseCueSheet } from '../../src/cue-sheet/parse.ts'
import { expandUnits } from '../../src/plan/expand.ts'
import { unitFiles } from '../../src/plan/unit-files.ts'
import { EMBEDDED } from '../cue-sheet/helpers.ts'
import { SD3_FACTS } from './helpers.ts'

it('the demo sheet shows each kind of program', () => {
  const file = resolve(import.meta.dirname, '../../cues/demo.yaml')
  const sheet = parseCueSheet(readFileSync(file), { file, env: {}, embeddedModels: EMBEDDED })
  const { units, warnings } = expandUnits(sheet, { backdrop: SD3_FACTS })
  expect(warnings).toEqual([])
  expect(units.length).toBeGreaterThanOrEqual(12)
  expect(units.length).toBeLessThanOrEqual(20)
  expect([...new Set(units.map(({ program }) => program))].sort()).toEqual([
    'P0',
    'P1',
    'P2',
    'P3',
    'P3B',
    'P4',
  ])
  for (const unit of units) {
    const files = unitFiles(unit)
    if (unit.program === 'P0') expect(files).toEqual(['final.png'])
    else expect(files.at(-1)).toBe('timing.json')
  }
  const copy = units.find(({ program }) => program === 'P3B')
  expect(copy).toMatchObject({
    exactCopyMode: true,
    denoiseStrength: 0.05,
    guidanceScale: 1,
    steps: 6,
    executedSteps: 1,
  })
})
