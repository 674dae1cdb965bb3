/**
 * The process of the tiny preview decoder while the denoiser has the CPU provider: it decodes one preview while
 * the next step runs. It never shares a GPU with the inference process.
 */
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
  /** Latents [1, C, h, w] → picture [1, 3, H, W]. */
  readonly decode: { readonly input: Tensor; readonly output: Tensor; readonly notice: never }
}

function createPreviews(start: PreviewStart): Served<PreviewProcedures> {
  let session: Promise<PreviewSession> | null = null
  const open = () =>
    // One thread: the denoiser keeps the rest of the cores.
    openPreviewSession({
      ...start,
      provider: { name: 'cpu', deviceId: 0, reason: 'previews beside inference on the CPU' },
      threads: 1,
    })
  return {
    // Decoded beside the denoiser: its time is none of the run's own.
    sessionRunMs: () => 0,
    handlers: {
      async decode(latents) {
        session ??= open()
        return (await session).decode(latents)
      },
    },
  }
}

serveCalls(createPreviews)
