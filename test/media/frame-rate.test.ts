import { describe, expect, it } from 'vitest'
import { nearestFrame, parseFrameRate, rateText, secondsOf } from '../../src/media/frame-rate.ts'
import fc from '../support/seed.ts'

describe('a frame rate', () => {
  it.each([
    [24, '24'],
    [25, '25'],
    [23.976, '24000/1001'],
    [29.97, '30000/1001'],
    [59.94, '60000/1001'],
    [119.88, '120000/1001'],
    [12.5, '25/2'],
    [0.5, '1/2'],
    [16.667, '16667/1000'],
  ])('%d is %s', (fps, text) => {
    expect(rateText(parseFrameRate(fps))).toBe(text)
  })

  it.each([0, -1, 241, Number.NaN, Number.POSITIVE_INFINITY])('is never %d', (fps) => {
    expect(() => parseFrameRate(fps)).toThrow(RangeError)
  })

  it('puts a moment into the nearest frame, however far on', () => {
    const rates = fc.constantFrom(23.976, 24, 25, 29.97, 30, 50, 59.94, 60)
    fc.assert(
      fc.property(rates, fc.integer({ min: 0, max: 36_000_000 }), (fps, ms) => {
        const rate = parseFrameRate(fps)
        const distanceMs = Math.abs(secondsOf(nearestFrame(ms, rate), rate) * 1000 - ms)
        expect(distanceMs).toBeLessThanOrEqual((500 * rate.denominator) / rate.numerator + 1e-6)
      }),
    )
  })
})
