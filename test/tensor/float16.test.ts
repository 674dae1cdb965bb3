import { expect, test } from 'vitest'
import { fromFloat16, readFloat16, roundToHalves, toFloat16, writeFloat16 } from '../../src/tensor/float16.ts'
import fc from '../support/seed.ts'

test('known halves', () => {
  const known: readonly (readonly [number, number])[] = [
    [0, 0x0000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65_504, 0x7bff],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [1 / 3, 0x3555],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
  ]
  for (const [value, bits] of known) expect(toFloat16(value)).toBe(bits)
  expect(Object.is(fromFloat16(0x8000), -0)).toBe(true)
  expect(fromFloat16(0x3555)).toBeCloseTo(1 / 3, 3)
  expect(fromFloat16(toFloat16(Number.NaN))).toBeNaN()
})

test('every half survives the way to a float and back', () => {
  for (let bits = 0; bits < 65_536; bits++) {
    const value = fromFloat16(bits)
    if (Number.isNaN(value)) continue
    expect(toFloat16(value)).toBe(bits)
  }
})

test('ties go to even, and what lies beyond 65,504 by half a step is infinite', () => {
  expect(toFloat16(1 + 2 ** -11)).toBe(0x3c00)
  expect(toFloat16(1 + 3 * 2 ** -11)).toBe(0x3c02)
  expect(toFloat16(2 ** -25)).toBe(0)
  expect(toFloat16(3 * 2 ** -25)).toBe(2)
  expect(toFloat16(65_519.996)).toBe(0x7bff)
  expect(toFloat16(65_520)).toBe(0x7c00)
})

test('no other half is nearer', () => {
  fc.assert(
    fc.property(fc.float({ min: -65_504, max: 65_504, noNaN: true }), (value) => {
      const bits = toFloat16(value)
      const distance = Math.abs(fromFloat16(bits) - value)
      for (const neighbour of [bits - 1, bits + 1]) {
        const other = fromFloat16(neighbour & 0xffff)
        if (Number.isFinite(other)) expect(Math.abs(other - value)).toBeGreaterThanOrEqual(distance)
      }
    }),
  )
})

test('arrays are written at an offset, read back, and rounded in place', () => {
  const halves = new Uint16Array(4)
  writeFloat16([1.5, -0.25], halves, 2)
  expect([...readFloat16(halves, new Float32Array(4))]).toEqual([0, 0, 1.5, -0.25])
  expect(roundToHalves(Float32Array.of(1 / 3))[0]).toBe(fromFloat16(0x3555))
})
