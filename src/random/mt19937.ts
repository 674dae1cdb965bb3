/**
 * The 32-bit Mersenne Twister, as `at::mt19937` of PyTorch runs it.
 * Matsumoto & Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random number
 * generator", 1998.
 */

const STATE_SIZE = 624
const SHIFT_SIZE = 397
const MATRIX_A = 0x9908b0df | 0
const UPPER_MASK = 0x80000000 | 0
const LOWER_MASK = 0x7fffffff

export class Mt19937 {
  readonly #state = new Int32Array(STATE_SIZE)
  #next = STATE_SIZE

  /** @param seed 0 … 2^64 − 1; as in PyTorch only its low 32 bits count. */
  constructor(seed: bigint) {
    const state = this.#state
    state[0] = Number(BigInt.asIntN(32, seed))
    for (let i = 1; i < STATE_SIZE; i++) {
      const previous = state[i - 1]!
      state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i
    }
  }

  /** The next 32 random bits, as a signed integer: the cheap form for masking. */
  nextInt32(): number {
    if (this.#next === STATE_SIZE) this.#twist()
    let y = this.#state[this.#next++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return y ^ (y >>> 18)
  }

  /** The next integer in 0 … 2^32 − 1. */
  nextUint32(): number {
    return this.nextInt32() >>> 0
  }

  #twist(): void {
    const state = this.#state
    for (let i = 0; i < STATE_SIZE; i++) {
      const following = i + 1 < STATE_SIZE ? i + 1 : 0
      const shifted = i + SHIFT_SIZE < STATE_SIZE ? i + SHIFT_SIZE : i + SHIFT_SIZE - STATE_SIZE
      const y = (state[i]! & UPPER_MASK) | (state[following]! & LOWER_MASK)
      state[i] = state[shifted]! ^ (y >>> 1) ^ (y & 1 ? MATRIX_A : 0)
    }
    this.#next = 0
  }
}
