import { expect, test } from 'vitest'
import { fedThousandth } from '../../src/pipelines/fed-timestep.ts'

// Recorded with torch 2.13: (torch.tensor([t]).to(torch.float16) / 1000).item()
test.each([
  [1000, 1],
  [987.381, 0.9873046875],
  [974.108, 0.97412109375],
  [666.6, 0.66650390625],
  [333.3, 0.333251953125],
  [110.906, 0.11090087890625],
  [8.92857, 0.0089263916015625],
])('a flow in half precision is fed timestep %f as torch rounds it', (timestep, fed) => {
  expect(fedThousandth(timestep, true)).toBe(fed)
  expect(fedThousandth(timestep, false)).toBe(timestep / 1000)
})
