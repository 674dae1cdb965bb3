/** Interleaved 8-bit RGB pictures, and the way from a decoder's output to one. */
import { PregenError } from '../errors.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** A picture: `rgb` holds height × width × 3 bytes, row by row. */
export interface RgbImage {
  readonly rgb: Uint8Array
  readonly width: number
  readonly height: number
}

/**
 * A decoder's output as a picture: u8 = round(clamp(x / 2 + 0.5, 0, 1) · 255), in float32 and with ties to
 * even, as diffusers' `VaeImageProcessor` computes it with numpy.
 * @param tensor [1, 3, H, W], values about −1 … 1
 * @throws PregenError `E_PREVIEW_SHAPE` for any other shape; `E_PREVIEW_NOT_FINITE` for NaN or infinity, which
 *   would otherwise look like black or white
 */
export function imageOfTensor(tensor: Tensor): RgbImage {
  const [batch, channels, height = 0, width = 0] = tensor.dims
  if (tensor.dims.length !== 4 || batch !== 1 || channels !== 3 || width < 1 || height < 1) {
    throw new PregenError(
      'E_PREVIEW_SHAPE',
      `A decoder must give [1, 3, height, width], got [${tensor.dims.join(', ')}].`,
    )
  }
  const { data } = tensor
  const plane = width * height
  // Storing into a clamped array rounds ties to even, as numpy's round does; a plain one would truncate.
  const rgb = new Uint8ClampedArray(plane * 3)
  for (let channel = 0; channel < 3; channel++) {
    const start = channel * plane
    for (let i = 0, out = channel; i < plane; i++, out += 3) {
      const value = data[start + i]!
      if (!Number.isFinite(value)) throw notFinite('The decoded picture', value)
      const unit = Math.fround(value * 0.5 + 0.5)
      rgb[out] = Math.fround(Math.max(0, Math.min(unit, 1)) * 255)
    }
  }
  return { rgb: new Uint8Array(rgb.buffer), width, height }
}

/** The error for a NaN or an infinity met while making a preview. */
export function notFinite(what: string, value: number): PregenError {
  return new PregenError('E_PREVIEW_NOT_FINITE', `${what} holds ${value}.`, {
    help: 'A half-precision kernel that overflows gives this: try the model in fp32, or another provider.',
  })
}
