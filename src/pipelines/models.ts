/** What a family's stages work with: the folder and the sessions that are loaded for the stage. */
import type { ModelFolder, VaeFacts } from '../model/folder.ts'
import type { ModelSession } from '../model/session.ts'
import type { PromptTokenizer } from '../text/tokenizer.ts'

export interface TextEncoder {
  readonly session: ModelSession
  readonly tokenizer: PromptTokenizer
  /** `num_hidden_layers` of the config, for the penultimate state's name. */
  readonly hiddenLayers: number
  /** Whether its embeddings are half precision. */
  readonly half: boolean
}

/** Stage 1. A family whose folder lacks an encoder that it can do without gets null. */
export interface TextModels {
  readonly folder: ModelFolder
  readonly first: TextEncoder | null
  readonly second: TextEncoder | null
  readonly third: TextEncoder | null
}

/** Stage 2. */
export interface ImageModels {
  readonly folder: ModelFolder
  readonly vae: VaeFacts
  readonly denoiser: ModelSession
  readonly vaeDecoder: ModelSession
  /** null until an image-to-image unit needs it. */
  readonly vaeEncoder: ModelSession | null
}
