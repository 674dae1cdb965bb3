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

/**
 * Pulls the guided prediction's contrast back towards that of `cond`, sample by sample. Lin et al. 2023, section 3.4;
 * diffusers' `rescale_noise_cfg`.
 * @param guided the guided prediction, changed in place
 * @param guidanceRescale 0 (no change) … 1
 * @param batchSize number of equal samples in both arrays
 * @returns `guided`
 */
export function rescaleGuidance(
  guided: Float32Array,
  cond: Float32Array,
  guidanceRescale: number,
  batchSize = 1,
): Float32Array {
  const size = guided.length / batchSize
  const rescale = fround(guidanceRescale)
  const keep = fround(1 - guidanceRescale)
  for (let start = 0; start < guided.length; start += size) {
    const end = start + size
    const ratio = fround(standardDeviation(cond, start, end) / standardDeviation(guided, start, end))
    for (let i = start; i < end; i++) {
      const value = guided[i]!
      guided[i] = fround(rescale * fround(value * ratio)) + fround(keep * value)
    }
  }
  return guided
}

/** `torch.std`: with Bessel's correction, in float32. */
function standardDeviation(values: Float32Array, start: number, end: number): number {
  let sum = 0
  for (let i = start; i < end; i++) sum += values[i]!
  const mean = sum / (end - start)
  let squares = 0
  for (let i = start; i < end; i++) squares += (values[i]! - mean) ** 2
  return fround(Math.sqrt(squares / (end - start - 1)))
}
