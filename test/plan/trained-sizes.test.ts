import { expect, it } from 'vitest'
import { type TrainedSizes, warnOfSizes } from '../../src/plan/trained-sizes.ts'
import { unitOf } from './helpers.ts'

const SIZES: TrainedSizes = { minSide: 64, maxSide: 256, maxPixels: 40_960 }
const warned = (units: [number, number][], sizes: TrainedSizes | null = SIZES) =>
  warnOfSizes(
    units.map(([width, height]) => unitOf({ width, height })),
    new Map([['backdrop', sizes]]),
  )

it('is silent about the sizes that a model has learned, and about a model that says nothing', () => {
  expect(
    warned([
      [64, 64],
      [256, 160],
      [160, 256],
    ]),
  ).toEqual([])
  expect(warned([[512, 512]], null)).toEqual([])
})

it.each<[string, [number, number]]>([
  ['a side that is too long', [272, 64]],
  ['too many pixels', [256, 176]],
  ['a side that is too short', [128, 48]],
])('warns of %s', (_, size) => expect(warned([size])).toHaveLength(1))

it('warns once for a model, with the number of units and the first of them', () => {
  const { code, message } = warned([
    [128, 128],
    [512, 256],
    [128, 512],
  ])[0]!
  expect(code).toBe('W_SIZE_UNTRAINED')
  expect(message).toMatch(/"backdrop" .* 2 units ask .* dawn\/wide \(512 × 256\)/)
  expect(message).toContain('at least 64 and at most 256 pixels a side, at most 40960 pixels in all')
})

it('leaves out what the model does not name, and units of other models', () => {
  const sizes = { minSide: null, maxSide: null, maxPixels: 100 }
  expect(warned([[128, 128]], sizes)[0]!.message).toContain('trained for at most 100 pixels in all;')
  expect(warnOfSizes([unitOf({ model: 'other', width: 512 })], new Map([['backdrop', SIZES]]))).toEqual([])
})
