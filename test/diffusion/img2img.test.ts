import { describe, expect, it } from 'vitest'
import { skippedSteps } from '../../src/diffusion/img2img.ts'

describe('skippedSteps', () => {
  it.each([
    ['floor-kept', 28, 0.6, 12],
    ['floor-start', 28, 0.6, 11],
    ['floor-kept', 50, 0.8, 10],
    ['floor-kept', 10, 0.3, 7],
    ['floor-kept', 100, 0.29, 72],
    ['floor-start', 100, 0.29, 71],
    ['floor-kept', 20, 1, 0],
    ['floor-start', 20, 1, 0],
    ['floor-kept', 20, 0, 20],
    ['floor-start', 20, 0, 20],
    ['in-scheduler', 4, 0.5, 0],
  ] as const)('%s: n = %i, strength %f skips %i', (rule, count, strength, skipped) => {
    expect(skippedSteps(rule, count, strength)).toBe(skipped)
  })

  it.each([-0.1, 1.1, Number.NaN])('refuses strength %f', (strength) => {
    expect(() => skippedSteps('floor-kept', 20, strength)).toThrow(/from 0 to 1/)
  })
})
