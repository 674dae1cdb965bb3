/** Qwen-Image's guidance, after diffusers' QwenImagePipeline. */
import type { Combine } from '../../pipelines/two-calls.ts'
import { halfOf } from '../../tensor/float16.ts'

/**
 * negative + scale · (positive − negative), each token then brought back to the length of its positive answer.
 * @param tokenSize values of one token
 * @param half rounds as diffusers does where all is half precision
 */
export function qwenImageGuidance(trueCfgScale: number, tokenSize: number, half: boolean): Combine {
  const round = half ? halfOf : Math.fround
  return (negative, positive, out) => {
    for (let from = 0; from < out.length; from += tokenSize) {
      let own = 0
      let guided = 0
      for (let i = from; i < from + tokenSize; i++) {
        const [base, value] = [negative[i]!, positive[i]!]
        const result = round(base + round(trueCfgScale * round(value - base)))
        out[i] = result
        own += value * value
        guided += result * result
      }
      const ratio = round(round(Math.sqrt(own)) / round(Math.sqrt(guided)))
      for (let i = from; i < from + tokenSize; i++) out[i] = round(out[i]! * ratio)
    }
    return out
  }
}
