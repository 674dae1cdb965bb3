import { describe, expect, it } from 'vitest'
import { encodeTiming, parseTiming, timingOf, timingSteps } from '../../src/artifacts/timing.ts'
import fc from '../support/seed.ts'

const text = (timing: Parameters<typeof encodeTiming>[0]) => new TextDecoder().decode(encodeTiming(timing))

describe('timing.json', () => {
  it('has exactly the shape that players read', () => {
    expect(text(timingOf([1000, 300], 1000))).toBe('{"stepDurations":{"1":1000,"2":300,"final":1000}}')
  })

  it('keeps steps in order past nine', () => {
    expect(Object.keys(timingOf(Array(12).fill(1), 2).stepDurations)).toEqual([
      ...Array.from({ length: 12 }, (_, i) => String(i + 1)),
      'final',
    ])
  })

  it('is whole milliseconds whose sum never drifts from the clock', () => {
    const durations = fc.array(fc.double({ min: 0, max: 5000, noNaN: true }), {
      minLength: 1,
      maxLength: 200,
    })
    fc.assert(
      fc.property(durations, fc.double({ min: 0, max: 5000, noNaN: true }), (steps, final) => {
        const timing = timingOf(steps, final)
        const values = Object.values(timing.stepDurations)
        expect(values.every((value) => Number.isSafeInteger(value) && value >= 0)).toBe(true)
        const exact = [...steps, final].reduce((sum, value) => sum + value, 0)
        expect(Math.abs(values.reduce((sum, value) => sum + value, 0) - exact)).toBeLessThanOrEqual(0.501)
        expect(timingSteps(timing)).toBe(steps.length)
        expect(parseTiming(text(timing), 'timing.json')).toEqual(timing)
      }),
    )
  })

  it('refuses durations that no clock gives', () => {
    expect(() => timingOf([-1], 0)).toThrow(/step 1/)
    expect(() => timingOf([1], Number.NaN)).toThrow(/final/)
  })

  it.each([
    ['', 'JSON'],
    ['[]', 'stepDurations'],
    ['{"stepDurations":[]}', 'not a map'],
    ['{"stepDurations":{}}', 'final'],
    ['{"stepDurations":{"1":5}}', '"final" belongs'],
    ['{"stepDurations":{"2":5,"final":1}}', 'where "1" belongs'],
    ['{"stepDurations":{"1":1.5,"final":1}}', 'whole milliseconds'],
    ['{"stepDurations":{"1":-5,"final":1}}', 'whole milliseconds'],
    ['{"stepDurations":{"1":"5","final":1}}', 'whole milliseconds'],
  ])('refuses %s when read', (bad, why) => {
    expect(() => parseTiming(bad, 'a/timing.json')).toThrow(new RegExp(`a/timing.json.*${why}`))
  })
})
