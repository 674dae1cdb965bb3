import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { TorchCpuGenerator } from '../../src/random/torch-cpu.ts'
import fc from '../support/seed.ts'
import { readVectors } from './vectors.ts'

interface Draw {
  seed: string
  n: number
  values: number[]
}

interface LargeDraw {
  seed: string
  shape: number[]
  first8: number[]
  last8: number[]
  every: number
  strided: number[]
  sum: number
  sum_sq: number
  skip: number[]
  sha256_q64: string
}

interface SequenceDraw {
  op: 'rand' | 'randn' | 'randn16' | 'randn64' | 'randint'
  n: number
  low?: string
  high?: string
  values: (number | string)[]
}

const NORMAL_TOLERANCE = 5e-6

function expectClose(got: ArrayLike<number>, want: readonly number[], tolerance: number): void {
  expect(got.length).toBe(want.length)
  for (let i = 0; i < want.length; i++) {
    expect(Math.abs(got[i]! - want[i]!), `value ${i}: ${got[i]} against ${want[i]}`).toBeLessThanOrEqual(
      tolerance,
    )
  }
}

/** One step of float16 at this magnitude. */
function float16Step(value: number): number {
  return 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), -14) - 10)
}

function sha256(data: Float32Array | Int16Array): string {
  return createHash('sha256').update(new Uint8Array(data.buffer)).digest('hex')
}

function generator(seed: string): TorchCpuGenerator {
  return new TorchCpuGenerator(BigInt(seed))
}

describe('torch.rand', () => {
  it.each(readVectors<(Draw & { sha256_exact: string })[]>('rand_float32'))(
    'seed $seed, $n values',
    (draw) => {
      const got = generator(draw.seed).rand(new Float32Array(draw.n))
      expectClose(got, draw.values, 1e-9)
      expect(sha256(got)).toBe(draw.sha256_exact)
    },
  )

  it.each(readVectors<{ seed: string; n: number; sha256_exact: string }[]>('rand_float32_large'))(
    'seed $seed, $n values, every bit',
    (draw) => {
      expect(sha256(generator(draw.seed).rand(new Float32Array(draw.n)))).toBe(draw.sha256_exact)
    },
  )
})

describe('torch.randint', () => {
  it.each(readVectors<{ seed: string; n: number; low: string; high: string; values: string[] }[]>('randint'))(
    'seed $seed, $low … $high',
    (draw) => {
      const got = generator(draw.seed).randint(BigInt(draw.low), BigInt(draw.high), new BigInt64Array(draw.n))
      expect([...got].map(String)).toEqual(draw.values)
    },
  )

  it('refuses an empty range', () => {
    expect(() => generator('0').randint(3n, 3n, new BigInt64Array(1))).toThrow(RangeError)
  })
})

describe('torch.randn', () => {
  it.each(readVectors<Draw[]>('randn_float32'))('float32, seed $seed, $n values', (draw) => {
    expectClose(generator(draw.seed).randn(new Float32Array(draw.n)), draw.values, NORMAL_TOLERANCE)
  })

  it.each(readVectors<Draw[]>('randn_float64'))('float64, seed $seed, $n values', (draw) => {
    expectClose(generator(draw.seed).randnFloat64(new Float64Array(draw.n)), draw.values, 1e-12)
  })

  it.each(readVectors<Draw[]>('randn_float16'))('float16, seed $seed, $n values', (draw) => {
    const got = generator(draw.seed).randnFloat16(new Float32Array(draw.n))
    expect(got.length).toBe(draw.values.length)
    for (let i = 0; i < got.length; i++) {
      const want = draw.values[i]!
      expect(Math.abs(got[i]! - want), `value ${i}`).toBeLessThanOrEqual(float16Step(want) * 1.001)
    }
  })

  it.each(readVectors<LargeDraw[]>('randn_float32_large'))('float32, seed $seed, shape $shape', (draw) => {
    const size = draw.shape.reduce((product, dim) => product * dim, 1)
    const got = generator(draw.seed).randn(new Float32Array(size))
    expectClose(got.subarray(0, 8), draw.first8, NORMAL_TOLERANCE)
    expectClose(got.subarray(size - 8), draw.last8, NORMAL_TOLERANCE)
    expectClose(
      draw.strided.map((_, i) => got[i * draw.every]!),
      draw.strided,
      NORMAL_TOLERANCE,
    )
    let sum = 0
    let sumOfSquares = 0
    const quantised = new Int16Array(size)
    for (let i = 0; i < size; i++) {
      const value = got[i]!
      sum += value
      sumOfSquares += value * value
      quantised[i] = Math.floor(64 * value + 0.5)
    }
    for (const position of draw.skip) quantised[position] = 0
    expect(Math.abs(sum - draw.sum)).toBeLessThanOrEqual(1e-6 * size)
    expect(Math.abs(sumOfSquares - draw.sum_sq)).toBeLessThanOrEqual(1e-6 * size)
    expect(sha256(quantised)).toBe(draw.sha256_q64)
  })

  it('takes a few milliseconds for the latents of a 1024 × 1024 picture', () => {
    const out = new Float32Array(4 * 128 * 128)
    for (let i = 0; i < 5; i++) generator('0').randn(out)
    let fastest = Number.POSITIVE_INFINITY
    for (let i = 0; i < 10; i++) {
      const start = performance.now()
      generator('0').randn(out)
      fastest = Math.min(fastest, performance.now() - start)
    }
    // A few times what logarithms and cosines of as many numbers cost.
    expect(fastest / plainMs(out)).toBeLessThan(40)
  })
})

describe('consecutive draws', () => {
  it.each(
    readVectors<{ seed: string; draws: SequenceDraw[] }[]>('sequences').map((sequence, index) => ({
      ...sequence,
      index,
    })),
  )('sequence $index, seed $seed', ({ seed, draws }) => {
    const stream = generator(seed)
    for (const draw of draws) {
      if (draw.op === 'randint') {
        const out = stream.randint(BigInt(draw.low!), BigInt(draw.high!), new BigInt64Array(draw.n))
        expect([...out].map(String)).toEqual(draw.values.map(String))
        continue
      }
      const values = draw.values.map(Number)
      const [drawn, tolerance] = {
        rand: () => [stream.rand(new Float32Array(draw.n)), 1e-9] as const,
        randn: () => [stream.randn(new Float32Array(draw.n)), NORMAL_TOLERANCE] as const,
        randn64: () => [stream.randnFloat64(new Float64Array(draw.n)), 1e-12] as const,
        randn16: () => [stream.randnFloat16(new Float32Array(draw.n)), 2e-3] as const,
      }[draw.op]()
      expectClose(drawn, values, tolerance)
    }
  })
})

describe("diffusers' randn_tensor", () => {
  it.each(
    readVectors<
      { name: string; shape: number[]; generators: string | string[]; first: number[]; second: number[] }[]
    >('randn_tensor'),
  )('$name', ({ shape, generators, first, second }) => {
    const size = shape.reduce((product, dim) => product * dim, 1)
    const streams = [generators].flat().map(generator)
    const sampleSize = size / streams.length
    for (const want of [first, second]) {
      const got = new Float32Array(size)
      streams.forEach((stream, i) => {
        stream.randn(got.subarray(i * sampleSize, (i + 1) * sampleSize))
      })
      expectClose(got, want, NORMAL_TOLERANCE)
    }
  })
})

describe('properties', () => {
  const seeds = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

  it('only the low 32 bits of a seed count', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 40 }), (seed, n) => {
        const whole = new TorchCpuGenerator(seed).randn(new Float32Array(n))
        const low = new TorchCpuGenerator(seed & 0xffffffffn).randn(new Float32Array(n))
        expect(whole).toEqual(low)
      }),
      { numRuns: 50 },
    )
  })

  it('every draw of every size is finite and fills its array', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 5 }),
        (seed, sizes) => {
          const stream = new TorchCpuGenerator(seed)
          for (const size of sizes) {
            const out = stream.randn(new Float32Array(size).fill(Number.NaN))
            expect(out.every(Number.isFinite)).toBe(true)
          }
        },
      ),
      { numRuns: 50 },
    )
  })
})

function plainMs(out: Float32Array): number {
  let fastest = Number.POSITIVE_INFINITY
  for (let i = 0; i < 10; i++) {
    const start = performance.now()
    for (let k = 0; k < out.length; k++) out[k] = Math.sqrt(-2 * Math.log((k + 1) / 1e6)) * Math.cos(k)
    fastest = Math.min(fastest, performance.now() - start)
  }
  return fastest
}
