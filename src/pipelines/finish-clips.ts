/** The last stage of a family of videos: latents to frames, one video after another, each frame handed out as it comes. */
import type { RgbImage } from '../tensor/rgb-image.ts'
import { sizeOf } from '../tensor/tensor.ts'
import { createClipDecoder } from './clip-decoder.ts'
import type { ImageModels } from './models.ts'
import type { GeneratedMedium, GenerateHooks, LatentDims } from './pipeline.ts'
import type { StepClock } from './step-clock.ts'

export interface ClipTiming {
  readonly prepareMs: number
  readonly durations: readonly number[]
  readonly clock: StepClock
  /** Frames of each video. */
  readonly frames: number
}

export async function finishClips(
  models: ImageModels,
  { data, dims }: { readonly data: Float32Array; readonly dims: LatentDims },
  hooks: GenerateHooks,
  timing: ClipTiming,
): Promise<GeneratedMedium[]> {
  const { prepareMs, durations, clock, frames } = timing
  const [batch, ...shape] = dims
  const size = sizeOf(shape)
  const decoder = createClipDecoder(models, dims)
  const media: Omit<GeneratedMedium, 'timings'>[] = []
  for (let index = 0; index < batch; index++) {
    const own = data.slice(index * size, (index + 1) * size)
    const kept: RgbImage[] = []
    const take = async (image: RgbImage, at: number): Promise<void> => {
      if (at === 0 || hooks.onFrame === undefined) kept.push(image)
      await clock.pause(() => hooks.onFrame?.({ index, frame: at + 1, frames, image }))
    }
    await decoder.stream(own, take, () => hooks.shouldStop?.() === true)
    const [head, ...rest] = kept
    if (head === undefined) throw new RangeError('the decoder gave no frame')
    media.push({ frames: [head, ...rest], latents: { data: own, dims: [1, ...shape] } })
  }
  const decodeMs = clock.lap()
  const timings = { prepareMs, stepDurationsMs: durations, decodeMs, executedSteps: durations.length }
  return media.map((medium) => ({ ...medium, timings }))
}
