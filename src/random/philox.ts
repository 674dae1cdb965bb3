/**
 * Philox-4x32-10, the counter-based generator behind CUDA's normals, indexed as A1111's "NV" source does: element
 * i of the n-th draw has the counter (n, 0, i, 0).
 * Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011.
 */
import { fromFloat16, toFloat16 } from '../tensor/float16.ts'
import type { RandomGenerator } from './generator.ts'

const ROUNDS = 10
const MULTIPLIER_A = 0xd2511f53
const MULTIPLIER_B = 0xcd9e8d57
const WEYL_A = 0x9e3779b9
const WEYL_B = 0xbb67ae85
const TWO_POW_32 = 2 ** 32

export class PhiloxGenerator implements RandomGenerator {
  readonly name = 'philox'
  readonly #keyLow: number
  readonly #keyHigh: number
  readonly #block = new Uint32Array(4)
  #offset = 0

  /** @param seed 0 … 2^64 − 1; all 64 bits count. */
  constructor(seed: bigint) {
    this.#keyLow = Number(BigInt.asUintN(32, seed))
    this.#keyHigh = Number(BigInt.asUintN(32, seed >> 32n))
  }

  /** Standard normals by the sine half of Box–Muller; each call is one draw and moves the counter by one. */
  randn(out: Float32Array): Float32Array {
    const block = this.#block
    for (let i = 0; i < out.length; i++) {
      block[0] = this.#offset
      block[1] = 0
      block[2] = i
      block[3] = 0
      philox4x32(block, this.#keyLow, this.#keyHigh)
      const u = (block[0] + 0.5) / TWO_POW_32
      const v = (block[1] + 0.5) / TWO_POW_32
      out[i] = Math.sqrt(-2 * Math.log(u)) * Math.sin(2 * Math.PI * v)
    }
    this.#offset++
    return out
  }

  /** One draw of `randn`, rounded to half precision. */
  randnFloat16(out: Float32Array): Float32Array {
    this.randn(out)
    for (let i = 0; i < out.length; i++) out[i] = fromFloat16(toFloat16(out[i]!))
    return out
  }
}

/** Ten rounds over `counter` (four 32-bit words), in place. */
export function philox4x32(counter: Uint32Array, keyLow: number, keyHigh: number): void {
  let key0 = keyLow
  let key1 = keyHigh
  for (let round = 0; round < ROUNDS; round++) {
    const c0 = counter[0]!
    const c2 = counter[2]!
    counter[0] = multiplyHigh(MULTIPLIER_B, c2) ^ counter[1]! ^ key0
    counter[2] = multiplyHigh(MULTIPLIER_A, c0) ^ counter[3]! ^ key1
    counter[1] = Math.imul(MULTIPLIER_B, c2)
    counter[3] = Math.imul(MULTIPLIER_A, c0)
    key0 = (key0 + WEYL_A) >>> 0
    key1 = (key1 + WEYL_B) >>> 0
  }
}

/** The upper 32 bits of the product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const low = aLow * bLow
  const middle = aHigh * bLow + Math.floor(low / 0x10000)
  const cross = aLow * bHigh + (middle % 0x10000)
  return aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000)
}
