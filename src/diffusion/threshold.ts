/** Dynamic thresholding. Saharia et al., "Photorealistic Text-to-Image Diffusion Models" (Imagen), 2022, section 2.3. */
import { booleanOf, numberOf } from './config-keys.ts'
import type { SchedulerConfig } from './scheduler.ts'

const fround = Math.fround

class Thresholding {
  readonly #ratio: number
  readonly #maxValue: number
  #magnitudes: Float32Array = new Float32Array(0)

  constructor(ratio: number, maxValue: number) {
    this.#ratio = ratio
    this.#maxValue = maxValue
  }

  /** Makes room for the samples of a trajectory. */
  allocate(sampleSize: number): void {
    if (this.#magnitudes.length !== sampleSize) this.#magnitudes = new Float32Array(sampleSize)
  }

  /** Clamps each sample to its own quantile s of magnitudes (1 ≤ s ≤ maxValue) and divides it by s, in place. */
  apply(values: Float32Array): void {
    const size = this.#magnitudes.length
    for (let start = 0; start < values.length; start += size) {
      const limit = this.#limit(values, start)
      for (let i = start; i < start + size; i++) {
        values[i] = Math.min(Math.max(values[i]!, -limit), limit) / limit
      }
    }
  }

  #limit(values: Float32Array, start: number): number {
    const magnitudes = this.#magnitudes
    for (let i = 0; i < magnitudes.length; i++) magnitudes[i] = Math.abs(values[start + i]!)
    magnitudes.sort()
    const rank = fround(fround(this.#ratio) * (magnitudes.length - 1))
    const low = magnitudes[Math.floor(rank)]!
    const high = magnitudes[Math.ceil(rank)]!
    const weight = fround(rank - Math.floor(rank))
    const gap = fround(high - low)
    const quantile =
      weight < 0.5 ? fround(low + fround(weight * gap)) : fround(high - fround(gap * fround(1 - weight)))
    return Math.min(Math.max(quantile, 1), fround(this.#maxValue))
  }
}

/** null where the config does not ask for it. */
export function thresholdingOf(config: SchedulerConfig): Thresholding | null {
  if (!booleanOf(config, 'thresholding')) return null
  return new Thresholding(
    numberOf(config, 'dynamic_thresholding_ratio'),
    numberOf(config, 'sample_max_value'),
  )
}
