import type { RandomGenerator, RngName } from './generator.ts'
import { PhiloxGenerator } from './philox.ts'
import { TorchCpuGenerator } from './torch-cpu.ts'

const GENERATORS = {
  'torch-cpu': TorchCpuGenerator,
  philox: PhiloxGenerator,
} satisfies Record<RngName, new (seed: bigint) => RandomGenerator>

/**
 * A fresh stream of random numbers.
 * @param seed 0 … 2^64 − 1; torch's CPU generator uses its low 32 bits only
 * @throws RangeError when the seed is out of range
 */
export function createRandomGenerator(name: RngName, seed: bigint): RandomGenerator {
  if (seed < 0n || seed >= 2n ** 64n) throw new RangeError(`a seed is 0 … 2^64 − 1, got ${seed}`)
  return new GENERATORS[name](seed)
}
