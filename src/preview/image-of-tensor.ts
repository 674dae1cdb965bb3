/** A preview decoder's output as a picture. */
import { PregenError } from '../errors.ts'
import { type RgbImage, toRgb } from '../tensor/rgb-image.ts'
import { findNotFinite, type Tensor } from '../tensor/tensor.ts'

/**
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
  requireFinite('The decoded picture', tensor.data)
  return toRgb(tensor.data, width, height)
}

/** @param tensor [frames, 3, H, W], values about −1 … 1. @throws as `imageOfTensor` */
export function imagesOfTensor({ data, dims }: Tensor): readonly [RgbImage, ...RgbImage[]] {
  const [frames = 1, ...picture] = dims
  const size = data.length / frames
  const one = (frame: number) =>
    imageOfTensor({ data: data.subarray(frame * size, (frame + 1) * size), dims: [1, ...picture] })
  return [one(0), ...Array.from({ length: frames - 1 }, (_, frame) => one(frame + 1))]
}

/** @throws PregenError `E_PREVIEW_NOT_FINITE` */
export function requireFinite(what: string, values: Float32Array): void {
  const value = findNotFinite(values)
  if (value !== undefined) throw notFinite(what, value)
}

/** The error for a NaN or an infinity met while making a preview. */
export function notFinite(what: string, value: number): PregenError {
  return new PregenError('E_PREVIEW_NOT_FINITE', `${what} holds ${value}.`, {
    help: 'A half-precision kernel that overflows gives this: try the model in fp32, or another provider.',
  })
}
