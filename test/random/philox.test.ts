import { describe, expect, it } from 'vitest'
import { createRandomGenerator } from '../../src/random/create.ts'
import { philox4x32 } from '../../src/random/philox.ts'
import { readVectors } from './vectors.ts'

interface PhiloxVectors {
  known_answers: { counter: string[]; key: string[]; output: string[] }[]
  published_nv_seed0: number[]
  randn: {
    seed: string
    offset: number
    n: number
    values?: number[]
    first8?: number[]
    last8?: number[]
    sum?: number
    sum_sq?: number
  }[]
}

const vectors = readVectors<PhiloxVectors>('philox')

describe('philox', () => {
  it.each(vectors.known_answers)('known answer of counter $counter', ({ counter, key, output }) => {
    const words = Uint32Array.from(counter, (word) => Number.parseInt(word, 16))
    philox4x32(words, Number.parseInt(key[0]!, 16), Number.parseInt(key[1]!, 16))
    expect([...words].map((word) => word.toString(16).padStart(8, '0'))).toEqual(output)
  })

  it.each(vectors.randn)('seed $seed, draw $offset, $n values', ({ seed, offset, n, ...want }) => {
    const stream = createRandomGenerator('philox', BigInt(seed))
    for (let draw = 0; draw < offset; draw++) stream.randn(new Float32Array(1))
    const got = stream.randn(new Float32Array(n))
    const head = want.values ?? want.first8 ?? []
    const tail = want.last8 ?? []
    expect(head.length).toBeGreaterThan(0)
    head.forEach((value, i) => {
      expect(Math.abs(got[i]! - value)).toBeLessThanOrEqual(1e-6)
    })
    tail.forEach((value, i) => {
      expect(Math.abs(got[n - tail.length + i]! - value)).toBeLessThanOrEqual(1e-6)
    })
    if (want.sum !== undefined && want.sum_sq !== undefined) {
      const sum = got.reduce((total, value) => total + value, 0)
      const sumOfSquares = got.reduce((total, value) => total + value * value, 0)
      expect(Math.abs(sum - want.sum)).toBeLessThanOrEqual(1e-6 * n)
      expect(Math.abs(sumOfSquares - want.sum_sq)).toBeLessThanOrEqual(1e-6 * n)
    }
  })

  it('gives the published values of seed 0', () => {
    const got = createRandomGenerator('philox', 0n).randn(new Float32Array(12))
    vectors.published_nv_seed0.forEach((want, i) => {
      expect(Math.abs(got[i]! - want)).toBeLessThanOrEqual(1e-6)
    })
  })
})

describe('createRandomGenerator', () => {
  it('makes the generator that was named', () => {
    expect(createRandomGenerator('torch-cpu', 1n).name).toBe('torch-cpu')
    expect(createRandomGenerator('philox', 2n ** 64n - 1n).name).toBe('philox')
  })

  it('refuses seeds outside 0 … 2^64 − 1', () => {
    expect(() => createRandomGenerator('torch-cpu', -1n)).toThrow(RangeError)
    expect(() => createRandomGenerator('philox', 2n ** 64n)).toThrow(RangeError)
  })
})
