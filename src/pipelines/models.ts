/** What a family's stages work with: the folder and the sessions that are loaded for the stage. */
import type { ComponentName } from '../families/index.ts'
import type { ModelFolder, VaeFacts } from '../model/folder.ts'
import type { ModelSession } from '../model/session.ts'
import type { PromptTokenizer } from '../text/tokenizer.ts'
import type {
  GeneratedMedium,
  GenerateHooks,
  GenerateRequest,
  PromptConditioning,
  PromptRequest,
} from './pipeline.ts'

export interface TextEncoder {
  readonly session: ModelSession
  readonly tokenizer: PromptTokenizer
  /** `num_hidden_layers` of the config, for the penultimate state's name. */
  readonly hiddenLayers: number
  /** Whether its embeddings are half precision. */
  readonly half: boolean
}

/** Stage 1. */
export interface TextModels {
  readonly folder: ModelFolder
  /** Those that the folder has, in the order of the family's contract. */
  readonly encoders: Readonly<Partial<Record<ComponentName, TextEncoder>>>
}

/** Stage 2. */
export interface ImageModels {
  readonly folder: ModelFolder
  readonly vae: VaeFacts
  readonly denoiser: ModelSession
  readonly vaeDecoder: ModelSession
  /** null until an image-to-image unit needs it. */
  readonly vaeEncoder: ModelSession | null
  /** Further components that the family has, by name: those for pictures only where one is read. */
  readonly parts: Readonly<Partial<Record<ComponentName, ModelSession>>>
  /** Puts another component in the denoiser's place: one is in memory at a time. */
  readonly takeDenoiser: (name: ComponentName) => Promise<ModelSession>
}

/** What a family's `pipeline.ts` exports. */
export interface FamilyStages {
  readonly encodePrompt: (text: TextModels, request: PromptRequest) => Promise<PromptConditioning>
  readonly generate: (
    models: ImageModels,
    requests: readonly GenerateRequest[],
    hooks: GenerateHooks,
  ) => Promise<GeneratedMedium[]>
}

/** An encoder that the family's contract needs, so that every checked folder has it. */
export function encoderOf({ folder, encoders }: TextModels, name: ComponentName): TextEncoder {
  const encoder = encoders[name]
  if (encoder === undefined) throw new Error(`${folder.path} has no ${name}`)
  return encoder
}
