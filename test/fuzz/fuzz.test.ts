/** A few hundred inputs for each reader; `npm run test:soak` gives each a minute. */
import { describe, expect, it } from 'vitest'
import { fuzz } from './harness.ts'
import { createRandom, mutate } from './mutate.ts'
import { TARGETS } from './targets.ts'

const SEED = 20_261_128

describe('readers of foreign bytes', () => {
  it.each(TARGETS)('$name answers whatever it is given', async (target) => {
    const report = await fuzz(target, { seed: SEED, iterations: 300 })
    expect(report.iterations).toBe(300)
    expect(report.answers.length).toBeGreaterThan(1)
    expect(report.written).toBe(0)
  })
})

it('the same seed makes the same inputs', () => {
  const [first, second] = [1, 1].map((seed) =>
    mutate(Buffer.from('{"a": 1}'), createRandom(seed), [Buffer.from('x')]),
  )
  expect(first).toEqual(second)
})
