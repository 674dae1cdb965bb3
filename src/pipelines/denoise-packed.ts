/** The last two stages of families whose latents are 2 × 2 patches: the loop over tokens, then pixels. */
import { type DenoiseOptions, denoise } from './denoise-loop.ts'
import { finishPictures } from './finish.ts'
import type { ImageModels } from './models.ts'
import { unpackLatents } from './packing.ts'
import type { GeneratedMedium, LatentDims } from './pipeline.ts'

export interface DenoisePackedOptions extends Omit<DenoiseOptions, 'unpack'> {
  /** Of the pictures' latents, unpacked. */
  readonly dims: readonly [batch: number, channels: number, height: number, width: number] & LatentDims
  /** What the stages before took. */
  readonly prepareMs: number
}

/** @param options `latents` are tokens of 4 · channels values: channel, then row, then column of the patch */
export async function denoisePacked(
  models: ImageModels,
  { prepareMs, ...options }: DenoisePackedOptions,
): Promise<GeneratedMedium[]> {
  const { latents, dims, clock } = options
  const unpack = (packed: Float32Array, out: Float32Array) => unpackLatents(packed, dims, out)
  const durations = await denoise({ ...options, unpack })
  const unpacked = unpack(latents, new Float32Array(latents.length))
  return finishPictures(models, unpacked, dims, { prepareMs, durations, clock })
}
