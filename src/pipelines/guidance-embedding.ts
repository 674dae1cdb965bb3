/** Guidance as an input of the UNet, for models that it was distilled into. */
import { createTensor, type Tensor } from '../tensor/tensor.ts'
import type { ImageModels } from './models.ts'

/**
 * The sinusoidal embedding of w = guidance − 1 that `timestep_cond` takes: [sin, cos] of 1000·w over frequencies
 * 10000^(−i/(n/2 − 1)) (diffusers' get_guidance_scale_embedding), in float32 arithmetic as torch has it.
 * @returns [rows, n] of equal rows
 */
export function guidanceEmbedding(
  { denoiser, folder }: ImageModels,
  guidanceScale: number,
  rows: number,
): Tensor {
  const configured = folder.components.unet?.config.time_cond_proj_dim
  const declared = denoiser.input('timestep_cond')?.dims[1]
  const size = typeof declared === 'number' ? declared : typeof configured === 'number' ? configured : 256
  const half = Math.floor(size / 2)
  const { fround } = Math
  const w = fround(fround(guidanceScale - 1) * 1000)
  const decay = fround(fround(Math.log(10_000)) / (half - 1))
  const row = new Float32Array(size)
  for (let i = 0; i < half; i++) {
    const angle = fround(w * fround(Math.exp(fround(-i * decay))))
    row[i] = Math.sin(angle)
    row[half + i] = Math.cos(angle)
  }
  const data = new Float32Array(rows * size)
  for (let index = 0; index < rows; index++) data.set(row, index * size)
  return createTensor(data, [rows, size])
}
