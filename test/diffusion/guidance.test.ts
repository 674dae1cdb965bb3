import { describe, expect, it } from 'vitest'
import { applyGuidance, rescaleGuidance } from '../../src/diffusion/guidance.ts'

const f32 = (...values: number[]) => Float32Array.from(values)

function expectClose(got: Float32Array, want: readonly number[]): void {
  expect(got.length).toBe(want.length)
  want.forEach((value, i) => {
    expect(got[i]).toBeCloseTo(value, 6)
  })
}

describe('applyGuidance', () => {
  it('goes from uncond towards cond and beyond, in float32', () => {
    const uncond = f32(0.1, -2, 3)
    const cond = f32(0.3, -1, 3)
    const out = applyGuidance(uncond, cond, 7.5, new Float32Array(3))
    const f = Math.fround
    expect(out[0]).toBe(f(f(0.1) + f(7.5 * f(f(0.3) - f(0.1)))))
    expect([...out.subarray(1)]).toEqual([5.5, 3])
  })

  it('may write over either of its inputs', () => {
    const uncond = f32(1, 2)
    expect(applyGuidance(uncond, f32(2, 4), 2, uncond)).toBe(uncond)
    expect([...uncond]).toEqual([3, 6])
    const cond = f32(2, 4)
    expect([...applyGuidance(f32(1, 2), cond, 2, cond)]).toEqual([3, 6])
  })
})

describe('rescaleGuidance', () => {
  it('gives each sample the deviation of cond where the rescale is 1', () => {
    const guided = f32(2, 4, 6, 8, -3, 3, -3, 3)
    rescaleGuidance(guided, f32(1, 2, 3, 4, 1, -1, 1, -1), 1, 2)
    expectClose(guided, [1, 2, 3, 4, -1, 1, -1, 1])
  })

  it('mixes by the rescale, and leaves all as it is at 0', () => {
    const guided = f32(2, 4, 6, 8)
    rescaleGuidance(guided, f32(1, 2, 3, 4), 0.5)
    expectClose(guided, [1.5, 3, 4.5, 6])
    expect([...rescaleGuidance(f32(2, 4), f32(1, 2), 0)]).toEqual([2, 4])
  })
})
