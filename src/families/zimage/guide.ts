/** Z-Image's guidance, after diffusers' ZImagePipeline. All in float32. */
import type { Combine } from '../../pipelines/two-calls.ts'

const fround = Math.fround

/**
 * positive + guidanceScale · (positive − negative), picture by picture.
 * @param normalization above 0: a picture whose result is longer than this many times the positive one is brought back to it
 */
export function zimageGuidance(guidanceScale: number, normalization: number, pictures: number): Combine {
  const scale = fround(guidanceScale)
  return (negative, positive, out) => {
    const size = positive.length / pictures
    for (let picture = 0; picture < pictures; picture++) {
      const from = picture * size
      let own = 0
      let guided = 0
      for (let i = from; i < from + size; i++) {
        const value = positive[i]!
        const result = fround(value + fround(scale * fround(value - negative[i]!)))
        out[i] = result
        own += value * value
        guided += result * result
      }
      if (normalization <= 0) continue
      const longest = fround(fround(Math.sqrt(own)) * normalization)
      const length = fround(Math.sqrt(guided))
      if (length <= longest) continue
      const ratio = fround(longest / length)
      for (let i = from; i < from + size; i++) out[i] = out[i]! * ratio
    }
    return out
  }
}
