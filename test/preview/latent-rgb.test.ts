import { describe, expect, it } from 'vitest'
import { PregenError } from '../../src/errors.ts'
import type { LatentRgbFactors } from '../../src/families/family.ts'
import { familyOf } from '../../src/families/index.ts'
import { latentsToRgb } from '../../src/preview/latent-rgb.ts'
import fc from '../support/seed.ts'

const PLAIN: LatentRgbFactors = {
  factors: [
    [1, 0, 0.5],
    [0, 1, -0.5],
  ],
  bias: [0, 0.1, 0],
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run()
  } catch (error) {
    if (error instanceof PregenError) return error.code
    throw error
  }
  return undefined
}

describe('latentsToRgb', () => {
  it('equals a sum done by hand', () => {
    // Two pixels, two channels: (0.2, −0.4) and (−3, 3).
    const image = latentsToRgb(Float32Array.of(0.2, -3, -0.4, 3), [1, 2, 1, 2], PLAIN)
    expect(image).toEqual({
      width: 2,
      height: 1,
      // 0.2 → 153; −0.4 + 0.1 = −0.3 → 89.25; 0.1 + 0.2 = 0.3 → 165.75; −3 → 0; 3.1 → 255; −3 → 0
      rgb: Uint8Array.of(153, 89, 166, 0, 255, 0),
    })
  })

  it('rounds where truncating would be a level off', () => {
    const level = (x: number) =>
      latentsToRgb(Float32Array.of(x), [1, 1, 1, 1], { factors: [[1, 1, 1]], bias: [0, 0, 0] }).rgb[0]
    expect(level(99.6 / 127.5 - 1)).toBe(100)
    expect(level(99.4 / 127.5 - 1)).toBe(99)
    expect(level(0)).toBe(128)
  })

  it('keeps rows and columns where they are', () => {
    const red = Float32Array.from({ length: 6 }, (_, i) => i / 127.5 - 1)
    const { rgb, width, height } = latentsToRgb(red, [1, 1, 3, 2], { factors: [[1, 0, 0]], bias: [0, -1, 1] })
    expect([width, height]).toEqual([2, 3])
    expect([...rgb]).toEqual([0, 1, 2, 3, 4, 5].flatMap((level) => [level, 0, 255]))
  })

  it('agrees with a plain per-pixel sum for any latents and factors', () => {
    const value = fc.float({ min: -4, max: 4, noNaN: true })
    const triple = fc.tuple(value, value, value)
    const problem = fc
      .record({ c: fc.integer({ min: 1, max: 16 }), w: fc.integer({ min: 1, max: 5 }) })
      .chain((size) =>
        fc.record({
          size: fc.constant(size),
          latents: fc.array(value, { minLength: size.c * size.w * 2, maxLength: size.c * size.w * 2 }),
          factors: fc.array(triple, { minLength: size.c, maxLength: size.c }),
          bias: triple,
        }),
      )
    fc.assert(
      fc.property(problem, ({ size: { c, w }, latents, factors, bias }) => {
        const plane = 2 * w
        const { rgb } = latentsToRgb(Float32Array.from(latents), [1, c, 2, w], { factors, bias })
        for (let pixel = 0; pixel < plane; pixel++) {
          for (const colour of [0, 1, 2] as const) {
            let sum = bias[colour]
            for (let k = 0; k < c; k++) sum += latents[k * plane + pixel]! * factors[k]![colour]
            const exact = Math.min(Math.max((sum + 1) / 2, 0), 1) * 255
            expect(Math.abs(rgb[pixel * 3 + colour]! - exact)).toBeLessThanOrEqual(0.5 + 1e-6)
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  it('refuses factors of another number of channels, and says both numbers', () => {
    const sdxl = familyOf('sdxl').previewFactors()!
    expect(() => latentsToRgb(new Float32Array(16), [1, 16, 1, 1], sdxl)).toThrow(
      /for 4 latent channels.*have 16.*colours would be wrong/,
    )
    expect(codeOf(() => latentsToRgb(new Float32Array(16), [1, 16, 1, 1], sdxl))).toBe('E_PREVIEW_CHANNELS')
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'makes no picture of %s, even in a channel that the factors ignore',
    (bad) => {
      const ignoring: LatentRgbFactors = {
        factors: [
          [1, 1, 1],
          [0, 0, 0],
        ],
        bias: [0, 0, 0],
      }
      for (let i = 0; i < 4; i++) {
        const latents = new Float32Array(4)
        latents[i] = bad
        expect(codeOf(() => latentsToRgb(latents, [1, 2, 1, 2], ignoring))).toBe('E_PREVIEW_NOT_FINITE')
      }
    },
  )

  it.each([[[2, 2, 1, 1]], [[2, 1, 2]], [[1, 2, 2, 2]], [[]]])(
    'refuses the shape %j for four values',
    (dims) => {
      expect(codeOf(() => latentsToRgb(new Float32Array(4), dims, PLAIN))).toBe('E_PREVIEW_SHAPE')
    },
  )

  it('maps the latents of a 1024 × 1024 picture in a few milliseconds', () => {
    const latents = Float32Array.from({ length: 16 * 128 * 128 }, (_, i) => Math.sin(i))
    const flux = familyOf('flux').previewFactors()!
    // The best of many, as other work may share the machine.
    const bestMs = (work: () => void) =>
      Math.min(
        ...Array.from({ length: 30 }, () => {
          const start = performance.now()
          work()
          return performance.now() - start
        }),
      )
    const sums = new Float32Array(3 * 128 * 128)
    // As many products as the map has.
    const plainMs = bestMs(() => {
      for (let i = 0; i < 3 * latents.length; i++)
        sums[i % sums.length]! += latents[i % latents.length]! * 0.5
    })
    expect(bestMs(() => latentsToRgb(latents, [1, 16, 128, 128], flux)) / plainMs).toBeLessThan(5)
  })
})
