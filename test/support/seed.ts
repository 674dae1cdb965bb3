/** What tests draw by chance, they draw from a seed: the same run after run, and another with PREGEN_TEST_SEED. */
import fc from 'fast-check'

export const TEST_SEED = Number(process.env.PREGEN_TEST_SEED ?? 20_261_128)

// A property that fails shows the seed and the path to its counterexample.
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: TEST_SEED })

export default fc

/** Numbers in [0, 1) of a name's own sequence (mulberry32); says its seed, which a failure's report then holds. */
export function createRandom(name: string): () => number {
  console.log(`${name}: PREGEN_TEST_SEED=${TEST_SEED}`)
  let state = TEST_SEED
  for (const letter of name) state = Math.imul(state ^ letter.charCodeAt(0), 0x01000193)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
