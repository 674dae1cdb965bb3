/** Reference pictures as tokens that the denoiser sees after those of the picture that it draws. */
import type { ImageModels } from '../../pipelines/models.ts'
import { packLatents } from '../../pipelines/packing.ts'
import type { GenerateRequest } from '../../pipelines/pipeline.ts'
import { encodeImage } from '../../pipelines/vae.ts'
import { createTensor, type Tensor } from '../../tensor/tensor.ts'
import type { TokenGrid } from './positions.ts'

export interface ReferenceTokens {
  /** [pictures, tokens, 4 · channels] */
  readonly tokens: Tensor
  readonly grids: readonly TokenGrid[]
}

/** @param requests of one batch: with references of the same sizes. @returns null where there are none */
export async function encodeReferences(
  models: ImageModels,
  requests: readonly GenerateRequest[],
): Promise<ReferenceTokens | null> {
  const references = requests[0]?.references ?? []
  if (references.length === 0) return null
  const { scale, latentChannels } = models.vae
  const parts: Float32Array[] = []
  for (const request of requests) {
    for (const { pixels, width, height } of request.references ?? []) {
      // The posterior's mean: nothing is drawn.
      const latents = await encodeImage(models, { initImage: pixels, width, height }, (out) => out)
      parts.push(packLatents(latents, [1, latentChannels, height / scale, width / scale]))
    }
  }
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    data.set(part, offset)
    offset += part.length
  }
  const channels = 4 * latentChannels
  return {
    tokens: createTensor(data, [requests.length, data.length / channels / requests.length, channels]),
    grids: references.map(({ width, height }) => ({
      rows: height / scale / 2,
      columns: width / scale / 2,
    })),
  }
}
