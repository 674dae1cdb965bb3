/** The forward process: what an image-to-image trajectory starts from. Each returns a new array, in float32. */

import { halfOf } from '../tensor/float16.ts'

const fround = Math.fround

/** σ·noise + (1 − σ)·original. */
export function addFlowNoise(original: Float32Array, noise: Float32Array, sigma: number): Float32Array {
  return mixNoise(original, noise, fround(1 - sigma), sigma)
}

/** The same with σ in half precision. */
export function addFlowNoiseInHalf(original: Float32Array, noise: Float32Array, sigma: number): Float32Array {
  const level = halfOf(sigma)
  return mixNoise(original, noise, halfOf(1 - level), level)
}

/** original + σ·noise, for samples whose variance grows with σ. */
export function addSigmaNoise(original: Float32Array, noise: Float32Array, sigma: number): Float32Array {
  return mixNoise(original, noise, 1, sigma)
}

/** √ᾱ·original + √(1 − ᾱ)·noise. */
export function addAlphaNoise(
  original: Float32Array,
  noise: Float32Array,
  alphaCumprod: number,
): Float32Array {
  return mixNoise(
    original,
    noise,
    fround(Math.sqrt(alphaCumprod)),
    fround(Math.sqrt(fround(1 - alphaCumprod))),
  )
}

/** The same with ᾱ and its roots in half precision: near ᾱ = 1 the noise's share then moves by several per cent. */
export function addAlphaNoiseInHalf(
  original: Float32Array,
  noise: Float32Array,
  alphaCumprod: number,
): Float32Array {
  const alphaBar = halfOf(alphaCumprod)
  const sigma = halfOf(Math.sqrt(halfOf(1 - alphaBar)))
  return mixNoise(original, noise, halfOf(Math.sqrt(alphaBar)), sigma)
}

/** alpha·original + sigma·noise. */
export function mixNoise(
  original: Float32Array,
  noise: Float32Array,
  alpha: number,
  sigma: number,
): Float32Array {
  if (original.length !== noise.length) {
    throw new RangeError(`${original.length} latents need as many values of noise, got ${noise.length}`)
  }
  const noisy = new Float32Array(original.length)
  for (let i = 0; i < noisy.length; i++) noisy[i] = fround(alpha * original[i]!) + fround(sigma * noise[i]!)
  return noisy
}
