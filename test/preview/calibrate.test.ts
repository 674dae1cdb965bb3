import { describe, expect, it } from 'vitest'
import type { LatentRgbFactors } from '../../src/families/family.ts'
import { familyOf } from '../../src/families/index.ts'
import { boxAverage, type CalibrationSample, calibrateLatentRgb } from '../../src/preview/calibrate.ts'
import { latentsToRgb } from '../../src/preview/latent-rgb.ts'
import { addPicture, combine, createNormalEquations, solve } from '../../src/preview/least-squares.ts'
import { meanSquaredError, psnr, rSquared, scorePictures } from '../../src/preview/score.ts'
import { composeCalibrationStrip, composeStrip } from '../../src/preview/strip.ts'
import type { RgbImage } from '../../src/tensor/rgb-image.ts'
import fc from '../support/seed.ts'

/** A small deterministic stream of numbers in −1 … 1 (an LCG; quality is of no matter here). */
function stream(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
}

const KNOWN: LatentRgbFactors = {
  factors: [
    [0.2, 0.1, -0.1],
    [-0.15, 0.25, 0.05],
    [0.1, -0.05, 0.3],
    [0.05, 0.1, 0.1],
  ],
  bias: [0.05, -0.1, 0.02],
}

function repeat({ rgb, width, height }: RgbImage, times: number): RgbImage {
  const large = new Uint8Array(width * height * times * times * 3)
  for (let y = 0; y < height * times; y++) {
    for (let x = 0; x < width * times; x++) {
      const from = (Math.floor(y / times) * width + Math.floor(x / times)) * 3
      large.set(rgb.subarray(from, from + 3), (y * width * times + x) * 3)
    }
  }
  return { rgb: large, width: width * times, height: height * times }
}

/** Pictures that a known map draws, at 8 pixels a latent. */
function* drawnBy(map: LatentRgbFactors, pictures: number, seed = 1): Generator<CalibrationSample> {
  const next = stream(seed)
  for (let i = 0; i < pictures; i++) {
    const dims = [1, map.factors.length, 12, 16]
    const latents = Float32Array.from({ length: map.factors.length * 192 }, () => 1.5 * next())
    yield { latents, dims, ...repeat(latentsToRgb(latents, dims, map), 8) }
  }
}

describe('least squares', () => {
  it('recovers any map that made the targets', () => {
    const value = fc.double({ min: -1, max: 1, noNaN: true })
    const triple = fc.tuple(value, value, value)
    const map = fc.record({ factors: fc.array(triple, { minLength: 1, maxLength: 16 }), bias: triple })
    fc.assert(
      fc.property(map, fc.integer(), ({ factors, bias }, seed) => {
        const next = stream(seed)
        const plane = 64
        const latents = Float32Array.from({ length: factors.length * plane }, () => 2 * next())
        const targets = Float64Array.from({ length: plane * 3 }, (_, i) => {
          const colour = i % 3
          const pixel = (i - colour) / 3
          return factors.reduce(
            (sum, row, k) => sum + row[colour]! * latents[k * plane + pixel]!,
            bias[colour]!,
          )
        })
        const sums = createNormalEquations(factors.length)
        addPicture(sums, latents, targets)
        const found = solve(sums)
        for (const [i, entry] of [...found.factors, found.bias].flat().entries()) {
          expect(Math.abs(entry - [...factors, bias].flat()[i]!)).toBeLessThan(1e-4)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('is the least: no nearby map does better on noisy targets', () => {
    const next = stream(3)
    const plane = 200
    const latents = Float32Array.from({ length: 2 * plane }, () => next())
    const targets = Float64Array.from({ length: plane * 3 }, () => next())
    const sums = createNormalEquations(2)
    addPicture(sums, latents, targets)
    const { factors, bias } = solve(sums)
    const errorOf = (nudge: readonly number[]) => {
      let error = 0
      for (let pixel = 0; pixel < plane; pixel++) {
        const guess =
          (factors[0]![0] + nudge[0]!) * latents[pixel]! +
          (factors[1]![0] + nudge[1]!) * latents[plane + pixel]! +
          bias[0] +
          nudge[2]!
        error += (targets[pixel * 3]! - guess) ** 2
      }
      return error
    }
    const best = errorOf([0, 0, 0])
    for (let i = 0; i < 3; i++) {
      for (const step of [0.01, -0.01]) {
        expect(errorOf([0, 1, 2].map((k) => (k === i ? step : 0)))).toBeGreaterThan(best)
      }
    }
  })

  it('survives channels that are constant, equal or dead, and fewer pixels than unknowns', () => {
    const latents = Float32Array.of(0, 0, 1, 1, 0.5, -0.5, 0.5, -0.5)
    const targets = Float64Array.of(0.4, 0.4, 0.4, -0.4, -0.4, -0.4)
    const sums = createNormalEquations(4)
    addPicture(sums, latents, targets)
    const { factors, bias } = solve(sums)
    for (const colour of [0, 1, 2] as const) {
      const guess = (pixel: number) =>
        factors.reduce((sum, row, k) => sum + row[colour] * latents[k * 2 + pixel]!, bias[colour])
      expect(guess(0)).toBeCloseTo(0.4, 3)
      expect(guess(1)).toBeCloseTo(-0.4, 3)
    }
    const dead = createNormalEquations(2)
    addPicture(dead, new Float32Array(4), Float64Array.of(0.1, 0.2, 0.3, 0.3, 0.2, 0.1))
    expect(solve(dead).factors.flat()).toEqual([0, 0, 0, 0, 0, 0])
    expect(solve(dead).bias.map((value) => value.toFixed(6))).toEqual(['0.200000', '0.200000', '0.200000'])
  })

  it('takes a picture out as it put it in', () => {
    const sums = createNormalEquations(1)
    addPicture(sums, Float32Array.of(1, 2), Float64Array.of(1, 2, 3, 4, 5, 6))
    const total = combine(combine(createNormalEquations(1), sums, 1), sums, 1)
    expect(combine(total, sums, -1)).toEqual(sums)
  })
})

describe('calibrateLatentRgb', () => {
  it('recovers a known map through 8-bit pictures, and scores it near perfect', async () => {
    const result = await calibrateLatentRgb({
      samples: drawnBy(KNOWN, 6),
      published: familyOf('sd').previewFactors(),
    })
    for (const [i, entry] of [...result.factors.factors, result.factors.bias].flat().entries()) {
      expect(Math.abs(entry - [...KNOWN.factors, KNOWN.bias].flat()[i]!)).toBeLessThan(2e-3)
    }
    expect(result).toMatchObject({ pictures: 6, pixels: 6 * 192, scored: 6 })
    expect(result.fitted.r2).toBeGreaterThan(0.999)
    expect(result.fitted.psnr).toBeGreaterThan(48)
    expect(result.published?.r2).toBeLessThan(0.5)
    expect(result.rows[2]?.after.rgb).toHaveLength(192 * 3)
  })

  it('scores each picture by the others: a map that only fits its own picture gets no credit', async () => {
    // Targets that have nothing to do with the latents: with 16 channels on 4 pixels, its own fit is perfect.
    const next = stream(9)
    const noise = Array.from({ length: 3 }, () => ({
      latents: Float32Array.from({ length: 64 }, next),
      dims: [1, 16, 2, 2],
      rgb: Uint8Array.from({ length: 12 }, () => 127.5 * (next() + 1)),
      width: 2,
      height: 2,
    }))
    const { fitted, rows } = await calibrateLatentRgb({ samples: noise, published: null })
    const own = scorePictures(rows.map(({ after, truth }) => ({ guess: after, truth })))
    expect(own.r2).toBeGreaterThan(0.99)
    expect(fitted.r2).toBeLessThan(0.5)
  })

  it('takes any number of pictures and keeps few', async () => {
    async function* many() {
      yield* drawnBy(KNOWN, 100)
    }
    const result = await calibrateLatentRgb({ samples: many(), published: null })
    expect(result).toMatchObject({ pictures: 100, scored: 32, published: null })
    expect(result.rows).toHaveLength(32)
    expect(result.rows[0]?.before).toBeNull()
  })

  it('copies what it keeps: a producer may reuse its buffers', async () => {
    const buffer = new Float32Array(4 * 192)
    function* reusing() {
      for (const sample of drawnBy(KNOWN, 4)) {
        buffer.set(sample.latents)
        yield { ...sample, latents: buffer }
      }
    }
    const reused = await calibrateLatentRgb({ samples: reusing(), published: null })
    expect(reused).toEqual(await calibrateLatentRgb({ samples: drawnBy(KNOWN, 4), published: null }))
  })

  it.each([
    ['one picture', [...drawnBy(KNOWN, 1)], null, 'E_CALIBRATE_SAMPLES'],
    ['none', [], null, 'E_CALIBRATE_SAMPLES'],
    [
      'published factors of another space',
      [...drawnBy(KNOWN, 2)],
      familyOf('flux').previewFactors(),
      'E_PREVIEW_CHANNELS',
    ],
    [
      'pictures of two models',
      [...drawnBy(KNOWN, 1), ...drawnBy({ ...KNOWN, factors: KNOWN.factors.slice(1) }, 1)],
      null,
      'E_PREVIEW_CHANNELS',
    ],
    [
      'a picture that does not fit its latents',
      [...drawnBy(KNOWN, 2)].map((sample) => ({ ...sample, width: 100 })),
      null,
      'E_PREVIEW_SHAPE',
    ],
    [
      'NaN',
      [...drawnBy(KNOWN, 2)].map((sample) => ({ ...sample, latents: sample.latents.map(() => Number.NaN) })),
      null,
      'E_PREVIEW_NOT_FINITE',
    ],
  ])('refuses %s', async (_, samples, published, code) => {
    await expect(calibrateLatentRgb({ samples, published })).rejects.toMatchObject({ code })
  })
})

describe('boxAverage', () => {
  it('averages the pixels of each latent, colour by colour', () => {
    const rgb = Uint8Array.from([1, 10, 100, 3, 20, 100, 5, 0, 0, 7, 0, 0])
    expect([...boxAverage({ rgb, width: 4, height: 1 }, 2, 1)]).toEqual([2, 15, 100, 6, 0, 0])
    expect([...boxAverage({ rgb, width: 1, height: 4 }, 1, 2)]).toEqual([2, 15, 100, 6, 0, 0])
  })
})

describe('scores', () => {
  const image = (...rgb: number[]): RgbImage => ({
    rgb: Uint8Array.from(rgb),
    width: rgb.length / 3,
    height: 1,
  })

  it('equal figures done by hand', () => {
    const truth = image(0, 10, 20, 4, 10, 24)
    const guess = image(1, 10, 20, 4, 8, 24)
    // Error 1 + 4; variance 8 about red's mean, 0 about green's, 8 about blue's.
    expect(rSquared(guess, truth)).toBeCloseTo(1 - 5 / 16, 12)
    expect(meanSquaredError(guess, truth)).toBeCloseTo(5 / 6, 12)
    expect(psnr(guess, truth)).toBeCloseTo(10 * Math.log10((255 * 255 * 6) / 5), 10)
  })

  it('are 1 and infinite for equal pictures, and 0 for the mean colour', () => {
    const truth = image(0, 10, 20, 4, 10, 24)
    expect(rSquared(truth, truth)).toBe(1)
    expect(psnr(truth, truth)).toBe(Number.POSITIVE_INFINITY)
    expect(rSquared(image(2, 10, 22, 2, 10, 22), truth)).toBe(0)
  })

  it('call a flat picture met or not', () => {
    const flat = image(5, 5, 5, 5, 5, 5)
    expect(rSquared(flat, flat)).toBe(1)
    expect(rSquared(image(5, 5, 5, 5, 5, 6), flat)).toBe(0)
  })

  it('average R² over pictures and PSNR over errors', () => {
    const truth = image(0, 0, 0, 10, 10, 10)
    const off = image(0, 0, 0, 10, 10, 4)
    const { r2, psnr: db } = scorePictures([
      { guess: truth, truth },
      { guess: off, truth },
    ])
    expect(r2).toBeCloseTo((1 + (1 - 36 / 150)) / 2, 12)
    expect(db).toBeCloseTo(psnr(off, truth) + 10 * Math.log10(2), 10)
    expect(() => scorePictures([])).toThrow(RangeError)
  })

  it('refuse pictures of different sizes', () => {
    expect(() => rSquared(image(1, 2, 3), image(1, 2, 3, 4, 5, 6))).toThrow(RangeError)
  })
})

describe('composeStrip', () => {
  const flat = (level: number, width = 2, height = 1): RgbImage => ({
    rgb: new Uint8Array(width * height * 3).fill(level),
    width,
    height,
  })

  it('lays cells out in rows with a gap all round, and leaves room for what is missing', async () => {
    const { rgb, width, height } = await composeStrip([flat(1), flat(2), null, flat(4)], 2, {
      gap: 1,
      background: [9, 9, 9],
    })
    expect([width, height]).toEqual([7, 5])
    const reds = Array.from({ length: 35 }, (_, i) => rgb[i * 3])
    expect(reds).toEqual([
      ...[9, 9, 9, 9, 9, 9, 9],
      ...[9, 1, 1, 9, 2, 2, 9],
      ...[9, 9, 9, 9, 9, 9, 9],
      ...[9, 9, 9, 9, 4, 4, 9],
      ...[9, 9, 9, 9, 9, 9, 9],
    ])
  })

  it('brings pictures of other sizes to the cell', async () => {
    const { width, height } = await composeStrip([flat(3, 4, 4), flat(8, 16, 16)], 2, {
      gap: 0,
      cellWidth: 8,
      cellHeight: 8,
    })
    expect([width, height]).toEqual([16, 8])
  })

  it.each([
    [[], 1],
    [[null], 1],
    [[flat(1)], 0],
  ])('refuses %j in %i columns', async (images, columns) => {
    await expect(composeStrip(images, columns)).rejects.toMatchObject({ code: 'E_PREVIEW_SHAPE' })
  })

  it('shows before, after and true of a calibration, in the aspect of the pictures', async () => {
    const samples = [...drawnBy(KNOWN, 3)]
    const fitted = await calibrateLatentRgb({ samples, published: familyOf('sd').previewFactors() })
    const { width, height } = await composeCalibrationStrip(fitted, 64)
    expect([width, height]).toEqual([3 * 68 + 4, 3 * 52 + 4])
    const alone = await composeCalibrationStrip(await calibrateLatentRgb({ samples, published: null }), 64)
    expect(alone.width).toBe(2 * 68 + 4)
  })
})
