/** The random numbers that a pipeline draws, behind one interface so that the generator can be chosen per unit. */

export type RngName = 'torch-cpu' | 'philox'

/**
 * One stream of random numbers. Consecutive draws continue the stream, as one `torch.Generator` does.
 */
export interface RandomGenerator {
  readonly name: RngName
  /** Standard normals in float32, as `torch.randn(size, generator=…)`. Writes `out.length` values into `out`. */
  randn(out: Float32Array): Float32Array
  /** The same in half precision: values that float16 holds. torch's differ from `randn` rounded where size % 16 ≠ 0. */
  randnFloat16(out: Float32Array): Float32Array
}
