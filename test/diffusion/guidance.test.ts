import { describe, expect, it } from 'vitest'
import { applyGuidance } from '../../src/diffusion/guidance.ts'

const f32 = (...values: number[]) => Float32Array.from(values)

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
