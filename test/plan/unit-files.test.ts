import { describe, expect, it } from 'vitest'
import { previewSteps, unitFiles } from '../../src/plan/unit-files.ts'
import fc from '../support/seed.ts'
import { unitOf } from './helpers.ts'

const previews = (every: number) => ({ method: 'full', every, source: 'denoised', size: 'image' }) as const

describe('unitFiles', () => {
  it('a plain unit is its final picture alone', () => {
    expect(unitFiles(unitOf({ previews: null }))).toEqual(['final.png'])
    expect(unitFiles(unitOf({ previews: null, thumbnail: true }))).toEqual(['final.png', 'final.thumb.webp'])
  })

  it('lists steps from 1, and timing.json after everything else', () => {
    expect(unitFiles(unitOf({ executedSteps: 3, previews: previews(1), thumbnail: true }))).toEqual([
      ...['1.png', '2.png', '3.png', 'final.png', 'final.thumb.webp', 'timing.json'],
    ])
  })

  it('counts executed steps, not those asked for', () => {
    expect(previewSteps(unitOf({ steps: 10, executedSteps: 2, previews: previews(1) }))).toEqual([1, 2])
  })

  it.each([
    [7, 3, [3, 6, 7]],
    [6, 3, [3, 6]],
    [2, 5, [2]],
    [1, 1, [1]],
  ])('%i steps, every %i: %j', (executedSteps, every, steps) => {
    expect(previewSteps(unitOf({ executedSteps, previews: previews(every) }))).toEqual(steps)
  })

  it('always has the last step, and no step twice', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 250 }),
        (executedSteps, every) => {
          const steps = previewSteps(unitOf({ executedSteps, previews: previews(every) }))
          expect(steps.at(-1)).toBe(executedSteps)
          expect(new Set(steps).size).toBe(steps.length)
          expect(steps.slice(0, -1).every((step) => step % every === 0)).toBe(true)
          expect(steps.length).toBe(Math.ceil(executedSteps / every))
        },
      ),
    )
  })
})
