/** The last stage of every family: latents to pixels, one picture after another. */
import type { LatentDims } from './latents.ts'
import type { ImageModels } from './models.ts'
import type { GeneratedImage } from './pipeline.ts'
import type { StepClock } from './step-clock.ts'
import { createVaeDecoder } from './vae.ts'

export async function finishPictures(
  models: ImageModels,
  latents: Float32Array,
  dims: LatentDims,
  timing: { readonly prepareMs: number; readonly durations: readonly number[]; readonly clock: StepClock },
): Promise<GeneratedImage[]> {
  const { prepareMs, durations, clock } = timing
  const [batch, channels, height, width] = dims
  const size = channels * height * width
  const decoder = createVaeDecoder(models.vaeDecoder, models.vae, dims)
  const pictures = []
  for (let index = 0; index < batch; index++) {
    const own = latents.slice(index * size, (index + 1) * size)
    const image = await decoder.decode(own)
    pictures.push({ ...image, latents: { data: own, dims: [1, channels, height, width] } })
  }
  const decodeMs = clock.lap()
  const timings = { prepareMs, stepDurationsMs: durations, decodeMs, executedSteps: durations.length }
  return pictures.map((picture) => ({ ...picture, timings }))
}
