import { describe, expect, it } from 'vitest'
import { groupIntoBatches } from '../../src/plan/batches.ts'
import type { Unit } from '../../src/plan/unit.ts'
import { groupBy } from '../../src/run/group-by.ts'
import { unitOf } from './helpers.ts'

const sizesOf = (units: readonly Partial<Unit>[]) =>
  groupIntoBatches(
    units.map((changes) => ({ unit: unitOf(changes) })),
    ({ unit }) => unit.prompt.length,
  ).map((batch) => batch.length)

describe('groupIntoBatches', () => {
  it('joins neighbours up to the batch that each allows', () => {
    expect(sizesOf([{ batch: 1 }, { batch: 1 }])).toEqual([1, 1])
    expect(sizesOf(new Array(5).fill({ batch: 2 }))).toEqual([2, 2, 1])
    expect(sizesOf([{ batch: 4 }, { batch: 2 }, { batch: 4 }])).toEqual([2, 1])
    expect(sizesOf([])).toEqual([])
  })

  it('lets prompts and seeds differ, and nothing that shapes the call', () => {
    const batch = 4
    expect(sizesOf([{ batch }, { batch, prompt: 'a seal', seed: 9n, negativePrompt: 'fog' }])).toEqual([2])
    const image = { source: '/stage.png', fit: undefined }
    for (const other of [
      { steps: 6 },
      { width: 64 },
      { guidanceScale: 1 },
      { guided: false },
      { model: 'sdxl' },
      { image },
    ]) {
      expect(sizesOf([{ batch }, { batch, ...other }])).toEqual([1, 1])
    }
  })
})

describe('groupBy', () => {
  it('keeps the order in which keys and items came', () => {
    const groups = groupBy(['bat', 'ant', 'bee', 'ape'], (word) => word[0])
    expect([...groups]).toEqual([
      ['b', ['bat', 'bee']],
      ['a', ['ant', 'ape']],
    ])
  })
})
