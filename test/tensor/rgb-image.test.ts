import { describe, expect, it } from 'vitest'
import { toRgb } from '../../src/tensor/rgb-image.ts'

/** diffusers' arithmetic as it stands: every operation rounded to float32, clamped, rounded half to even. */
function levelOf(value: number): number {
  const halved = Math.fround(value * 0.5)
  const moved = Math.min(Math.max(Math.fround(halved + 0.5), 0), 1)
  const level = Math.fround(moved * 255)
  const below = Math.floor(level)
  if (level - below !== 0.5) return Math.round(level)
  return below % 2 === 0 ? below : below + 1
}

/** Float32 values of every size from 0 to 3 and both signs: each bit pattern at a distance. */
function valuesOf(count: number): Float32Array {
  const values = new Float32Array(count)
  const bits = new Uint32Array(values.buffer)
  const last = 0x40400000
  for (let i = 0; i < count; i++) bits[i] = Math.floor((i / count) * last) + (i % 2) * 0x80000000
  return values
}

describe('toRgb', () => {
  it('is diffusers’ float32 arithmetic for values of any size', () => {
    const [width, height] = [1024, 341]
    const pixels = valuesOf(3 * width * height)
    const { rgb } = toRgb(pixels, width, height)
    const plane = width * height
    let wrong = 0
    for (let i = 0; i < 3 * plane; i++) {
      if (rgb[3 * (i % plane) + Math.floor(i / plane)] !== levelOf(pixels[i]!)) wrong++
    }
    expect(wrong).toBe(0)
  })

  it('rounds halves to even', () => {
    const halves = [0.5, 127.5, 254.5].map((level) => (level / 255) * 2 - 1)
    const levels = halves.map((value) => toRgb(new Float32Array([value, value, value]), 1, 1).rgb[0])
    expect(levels).toEqual(halves.map((value) => levelOf(Math.fround(value))))
    expect(toRgb(new Float32Array([0, 0, 0]), 1, 1).rgb[0]).toBe(128)
  })

  it('interleaves planes, row by row', () => {
    const levels = [0, 51, 102, 153, 204, 255, 10, 20, 30, 40, 50, 60]
    const pixels = Float32Array.from(levels, (level) => (level / 255) * 2 - 1)
    const { rgb, width, height } = toRgb(pixels, 2, 2)
    expect([...rgb]).toEqual([0, 204, 30, 51, 255, 40, 102, 10, 50, 153, 20, 60])
    expect([width, height]).toEqual([2, 2])
  })
})
