import { expect, it } from 'vitest'
import { forgeTrees } from '../faults/forged-trees.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
// In parts: one property of two thousand runs keeps what each of them made until its end.
const PARTS = 20
const RUNS = 100

it('promise 19: two thousand forged output folders touch nothing outside', async () => {
  for (let part = 0; part < PARTS; part++) {
    const { refused, sent } = await forgeTrees(scratch.folder, RUNS, 20261129 + part)
    expect([refused > RUNS, sent > RUNS]).toEqual([true, true])
  }
})
