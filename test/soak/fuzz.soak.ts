/**
 * A minute of changed inputs for each reader. `PREGEN_FUZZ_SEED` repeats a run (its seed is printed), `PREGEN_FUZZ_GROW=1`
 * writes inputs that were answered in a new way to test/fuzz/corpus/.
 */
import { describe, expect, it } from 'vitest'
import { fuzz } from '../fuzz/harness.ts'
import { TARGETS } from '../fuzz/targets.ts'

const { PREGEN_FUZZ_SEED, PREGEN_FUZZ_GROW, PREGEN_FUZZ_SECONDS = '60' } = process.env
const seed = Number(PREGEN_FUZZ_SEED ?? Date.now() % 2 ** 32)

describe(`fuzzing with seed ${seed}`, () => {
  it.each(TARGETS)('$name', async (target) => {
    const options = { seed, durationMs: Number(PREGEN_FUZZ_SECONDS) * 1000, grow: PREGEN_FUZZ_GROW === '1' }
    const { iterations, answers, written } = await fuzz(target, options)
    console.log(
      `fuzz ${target.name}: seed ${seed}, ${iterations} inputs, ${answers.length} answers, ${written} kept`,
    )
    expect(iterations).toBeGreaterThan(100)
  })
})
