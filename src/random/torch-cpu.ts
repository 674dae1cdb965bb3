/**
 * The random numbers of `torch.Generator('cpu')`: the integers bit for bit, the normals to the last bits of
 * float32. Source: PyTorch 2.13, aten/src/ATen/native/cpu/DistributionTemplates.h and core/DistributionsHelper.h.
 */
import { fromFloat16, toFloat16 } from '../tensor/float16.ts'
import type { RandomGenerator } from './generator.ts'
import { Mt19937 } from './mt19937.ts'

/** Tensors of at least this many values are filled in blocks of this size; smaller ones value by value. */
const BLOCK = 16
const HALF_BLOCK = BLOCK / 2
const TWO_PI_FLOAT32 = Math.fround(2 * Math.PI)
/** From this range on, `randint` draws 64 bits for each value. */
const WIDE_RANGE = 2n ** 28n

const fround = Math.fround

export class TorchCpuGenerator implements RandomGenerator {
  readonly name = 'torch-cpu'
  readonly #engine: Mt19937
  /** The sine of the last pair of a small draw, waiting for the next small draw of any dtype. */
  #cachedNormal: number | null = null
  readonly #block = new Float32Array(BLOCK)

  /** @param seed 0 … 2^64 − 1, as `torch.Generator().manual_seed(seed)`; only the low 32 bits count. */
  constructor(seed: bigint) {
    this.#engine = new Mt19937(seed)
  }

  /** Uniform float32 values in [0, 1), as `torch.rand`. */
  rand(out: Float32Array): Float32Array {
    for (let i = 0; i < out.length; i++) out[i] = this.#uniform24()
    return out
  }

  /**
   * Integers in low … high − 1, as `torch.randint(low, high, [out.length])`.
   * @throws RangeError when the range is empty
   */
  randint(low: bigint, high: bigint, out: BigInt64Array): BigInt64Array {
    if (high <= low) throw new RangeError(`randint needs low < high, got ${low} and ${high}`)
    const range = high - low
    for (let i = 0; i < out.length; i++) {
      const first = BigInt(this.#engine.nextUint32())
      const value = range >= WIDE_RANGE ? (first << 32n) | BigInt(this.#engine.nextUint32()) : first
      out[i] = low + (value % range)
    }
    return out
  }

  /** Standard normals, as `torch.randn(…, dtype=torch.float32)`. */
  randn(out: Float32Array): Float32Array {
    const size = out.length
    if (size < BLOCK) {
      for (let i = 0; i < size; i++) out[i] = this.#normal()
      return out
    }
    for (let i = 0; i < size; i++) out[i] = this.#uniform24()
    const whole = size - (size % BLOCK)
    for (let start = 0; start < whole; start += BLOCK) boxMullerFloat32(out, start)
    if (whole < size) {
      for (let i = size - BLOCK; i < size; i++) out[i] = this.#uniform24()
      boxMullerFloat32(out, size - BLOCK)
    }
    return out
  }

  /** Standard normals, as `torch.randn(…, dtype=torch.float16)`: values that float16 holds, in a float32 array. */
  randnFloat16(out: Float32Array): Float32Array {
    const size = out.length
    if (size < BLOCK) {
      for (let i = 0; i < size; i++) out[i] = fromFloat16(toFloat16(this.#normal()))
      return out
    }
    for (let start = 0; start + BLOCK <= size; start += BLOCK) this.#fillFloat16Block(out, start)
    if (size % BLOCK !== 0) this.#fillFloat16Block(out, size - BLOCK)
    return out
  }

  /** Standard normals, as `torch.randn(…, dtype=torch.float64)`. */
  randnFloat64(out: Float64Array): Float64Array {
    const size = out.length
    if (size < BLOCK) {
      for (let i = 0; i < size; i++) out[i] = this.#normal()
      return out
    }
    for (let i = 0; i < size; i++) out[i] = this.#uniform53()
    const whole = size - (size % BLOCK)
    for (let start = 0; start < whole; start += BLOCK) boxMullerFloat64(out, start)
    if (whole < size) {
      for (let i = size - BLOCK; i < size; i++) out[i] = this.#uniform53()
      boxMullerFloat64(out, size - BLOCK)
    }
    return out
  }

  #fillFloat16Block(out: Float32Array, start: number): void {
    const block = this.#block
    for (let i = 0; i < BLOCK; i++) block[i] = this.#uniform24()
    boxMullerFloat32(block, 0)
    for (let i = 0; i < BLOCK; i++) out[start + i] = fromFloat16(toFloat16(block[i]!))
  }

  #uniform24(): number {
    return (this.#engine.nextInt32() & 0xffffff) * 2 ** -24
  }

  #uniform53(): number {
    const high = this.#engine.nextInt32() & 0x1fffff
    return (high * 2 ** 32 + this.#engine.nextUint32()) * 2 ** -53
  }

  #normal(): number {
    const cached = this.#cachedNormal
    if (cached !== null) {
      this.#cachedNormal = null
      return cached
    }
    const theta = 2 * Math.PI * this.#uniform53()
    const radius = Math.sqrt(-2 * Math.log1p(-this.#uniform53()))
    this.#cachedNormal = radius * Math.sin(theta)
    return radius * Math.cos(theta)
  }
}

/** Turns 16 uniforms into 16 normals in place, rounding where torch's float32 kernel rounds. */
function boxMullerFloat32(data: Float32Array, start: number): void {
  for (let j = start; j < start + HALF_BLOCK; j++) {
    const radius = fround(Math.sqrt(fround(-2 * fround(Math.log(1 - data[j]!)))))
    const theta = fround(TWO_PI_FLOAT32 * data[j + HALF_BLOCK]!)
    data[j] = radius * fround(Math.cos(theta))
    data[j + HALF_BLOCK] = radius * fround(Math.sin(theta))
  }
}

function boxMullerFloat64(data: Float64Array, start: number): void {
  for (let j = start; j < start + HALF_BLOCK; j++) {
    const radius = Math.sqrt(-2 * Math.log(1 - data[j]!))
    const theta = 2 * Math.PI * data[j + HALF_BLOCK]!
    data[j] = radius * Math.cos(theta)
    data[j + HALF_BLOCK] = radius * Math.sin(theta)
  }
}
