import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { imageOfTensor } from '../../src/preview/image-of-tensor.ts'

const golden: { edges: number[]; edge_levels: number[] } = JSON.parse(
  readFileSync(new URL('../fixtures/preview/golden.json', import.meta.url), 'utf8'),
)

describe('imageOfTensor', () => {
  it('turns planes into interleaved pixels', () => {
    const data = Float32Array.of(-1, 1, 0, 0.5, 2, -2)
    expect(imageOfTensor({ data, dims: [1, 3, 1, 2] })).toEqual({
      width: 2,
      height: 1,
      // 0 → 127.5 → 128 (even), 0.5 → 191.25
      rgb: Uint8Array.of(0, 128, 255, 255, 191, 0),
    })
  })

  it("rounds every level as diffusers' image processor does, at the edges too", () => {
    const { edges, edge_levels } = golden
    const data = Float32Array.from([...edges, ...edges, ...edges])
    const { rgb } = imageOfTensor({ data, dims: [1, 3, 1, edges.length] })
    const levels = Array.from(edges, (_, i) => [...rgb.subarray(i * 3, i * 3 + 3)])
    expect(levels).toEqual(edge_levels.map((level) => [level, level, level]))
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'makes no picture of %s',
    (bad) => {
      for (let i = 0; i < 6; i++) {
        const data = new Float32Array(6)
        data[i] = bad
        expect(() => imageOfTensor({ data, dims: [1, 3, 1, 2] })).toThrow(
          expect.objectContaining({ code: 'E_PREVIEW_NOT_FINITE' }),
        )
      }
    },
  )

  it.each([[[3, 1, 2]], [[1, 4, 1, 2]], [[2, 3, 1, 1]], [[1, 3, 0, 2]]])('refuses the shape %j', (dims) => {
    expect(() => imageOfTensor({ data: new Float32Array(6), dims })).toThrow(
      expect.objectContaining({ code: 'E_PREVIEW_SHAPE' }),
    )
  })
})
