import { expect, it } from 'vitest'
import { forgeTrees } from '../faults/forged-trees.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
const RUNS = 2000

it('promise 19: two thousand forged output folders touch nothing outside', async () => {
  const { refused, sent } = await forgeTrees(scratch.folder, RUNS, 20261129)
  expect([refused > RUNS, sent > RUNS]).toEqual([true, true])
})
