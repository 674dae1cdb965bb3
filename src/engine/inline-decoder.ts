/** Previews decoded in the inference worker itself, between two steps: by the model's own VAE, or on its GPU. */
import type { ModelFolder } from '../model/folder.ts'
import type { ResolvedProvider } from '../model/providers.ts'
import type { LatentDims, Pipeline } from '../pipelines/pipeline.ts'
import { imagesOfTensor } from '../preview/image-of-tensor.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { openPreviewSession, type PreviewSession } from './preview-session.ts'

export interface InlineDecoder {
  /**
   * @param dims of one medium's latents; `full` takes a video of one frame
   * @returns the picture; of a video one a frame, with `full` the first
   */
  readonly decode: (
    method: 'full' | 'taesd',
    latents: Float32Array,
    dims: LatentDims,
  ) => Promise<readonly [RgbImage, ...RgbImage[]]>
  readonly dispose: () => Promise<void>
}

export function createInlineDecoder(
  folder: ModelFolder,
  pipeline: Pipeline,
  provider: ResolvedProvider,
): InlineDecoder {
  let session: PreviewSession | null = null
  return {
    async decode(method, latents, dims) {
      if (method === 'full') {
        const [frames] = await pipeline.decodeLatents(latents, dims)
        if (!frames) throw new Error('the VAE gave no picture')
        return [frames[0]]
      }
      if (folder.previewDecoder === null) throw new Error('the model has no preview decoder')
      // Loaded at the first preview: a run whose units ask for none does not pay for it.
      session ??= await openPreviewSession({
        path: folder.previewDecoder,
        channels: folder.vae.latentChannels,
        provider,
        meter: pipeline.meter,
      })
      return imagesOfTensor(await session.decode({ data: latents, dims }))
    },
    async dispose() {
      await session?.dispose()
      session = null
    },
  }
}
