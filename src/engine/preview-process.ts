/**
 * The process of the tiny preview decoder while the denoiser has the CPU provider: it decodes one preview while
 * the next step runs. It never shares a GPU with the inference process.
 */
import { imagesOfTensor } from '../preview/image-of-tensor.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { openPreviewSession, type PreviewSession } from './preview-session.ts'
import { type Served, serveCalls } from './serve-calls.ts'

export interface PreviewStart {
  /** The decoder's .onnx file. */
  readonly path: string
  /** Latent channels of the model that it previews. */
  readonly channels: number
}

export interface PreviewProcedures {
  /** Latents [1, C, h, w], or of a video [1, C, frames, h, w] → a picture, or one a frame. */
  readonly decode: { readonly input: Tensor; readonly output: readonly RgbImage[]; readonly notice: never }
}

function createPreviews(start: PreviewStart): Served<PreviewProcedures> {
  // Loaded while the model is; one thread: the denoiser keeps the rest of the cores.
  const session: Promise<PreviewSession> = openPreviewSession({
    ...start,
    provider: { name: 'cpu', deviceId: 0, reason: 'previews beside inference on the CPU' },
    threads: 1,
  })
  // What went wrong is told to every preview that is asked for.
  session.catch(() => undefined)
  return {
    // Decoded beside the denoiser: its time is none of the run's own.
    sessionRunMs: () => 0,
    handlers: {
      async decode(latents) {
        return imagesOfTensor(await (await session).decode(latents))
      },
    },
  }
}

serveCalls(createPreviews)
