/** Classifier-free guidance: the model's two answers, without and with the prompt, made one. In float32. */

const fround = Math.fround

/**
 * uncond + guidanceScale · (cond − uncond). Ho & Salimans, "Classifier-Free Diffusion Guidance", 2022.
 * @param out same length; may be `uncond` or `cond`
 * @returns `out`
 */
export function applyGuidance(
  uncond: Float32Array,
  cond: Float32Array,
  guidanceScale: number,
  out: Float32Array,
): Float32Array {
  const scale = fround(guidanceScale)
  for (let i = 0; i < out.length; i++) {
    const base = uncond[i]!
    out[i] = base + fround(scale * fround(cond[i]! - base))
  }
  return out
}
