/** The last stage of every family: latents to pixels, one medium after another. */
import { sizeOf } from '../tensor/tensor.ts'
import type { ImageModels } from './models.ts'
import type { GeneratedMedium, LatentDims } from './pipeline.ts'
import type { StepClock } from './step-clock.ts'
import { createVaeDecoder } from './vae.ts'

export async function finishPictures(
  models: ImageModels,
  latents: Float32Array,
  dims: LatentDims,
  timing: { readonly prepareMs: number; readonly durations: readonly number[]; readonly clock: StepClock },
): Promise<GeneratedMedium[]> {
  const { prepareMs, durations, clock } = timing
  const [batch, ...shape] = dims
  const size = sizeOf(shape)
  const decoder = createVaeDecoder(models.vaeDecoder, models.vae, dims)
  const media = []
  for (let index = 0; index < batch; index++) {
    const own = latents.slice(index * size, (index + 1) * size)
    media.push({ frames: await decoder.decode(own), latents: { data: own, dims: [1, ...shape] } })
  }
  const decodeMs = clock.lap()
  const timings = { prepareMs, stepDurationsMs: durations, decodeMs, executedSteps: durations.length }
  return media.map((medium) => ({ ...medium, timings }))
}
