/** Numbers that two components of one model must agree on: widths of texts, channels of latents. */
import { type ModelView, numberIn } from './model-view.ts'

/** What two parts say of one number; undefined where a part says nothing. */
export interface Agreement {
  readonly what: string
  readonly wanted: number | undefined
  readonly wantedBy: string
  readonly given: number | undefined
  readonly givenBy: string
  /** `at most` for CLIP's width in SD3, which is padded. */
  readonly atMost?: boolean
}

/** Channels of a text encoder's hidden states. */
export function textWidth(model: ModelView, component: string): number | undefined {
  return (
    model.output(component, 'last_hidden_state', 2) ??
    numberIn(model, component, 'hidden_size') ??
    numberIn(model, component, 'd_model')
  )
}

/** Channels of a CLIP's projected, pooled text. */
export function projectionWidth(model: ModelView, component: string): number | undefined {
  return model.output(component, 'text_embeds', 1) ?? numberIn(model, component, 'projection_dim')
}

/** Channels of the texts that a denoiser takes. */
export function contextWidth(model: ModelView, component: string, key: string): number | undefined {
  return model.input(component, 'encoder_hidden_states', 2) ?? numberIn(model, component, key)
}

/** Channels of the pooled texts that a transformer takes. */
export function pooledWidth(model: ModelView): number | undefined {
  return (
    model.input('transformer', 'pooled_projections', 1) ??
    numberIn(model, 'transformer', 'pooled_projection_dim')
  )
}

/** The denoiser's latents against the VAE's. @param packed pixels of the latents in one token */
export function latentsAgree(
  model: ModelView,
  { component, input, axis, packed = 1, inpainting = false }: LatentInput,
): Agreement {
  const decoded =
    model.input('vae_decoder', 'latent_sample', 1) ??
    numberIn(model, 'vae_decoder', 'latent_channels') ??
    numberIn(model, 'vae_decoder', 'z_dim')
  const taken = model.input(component, input, axis) ?? numberIn(model, component, 'in_channels')
  // Beside the latents: the mask, and the latents of what it leaves.
  const isInpainting = inpainting && decoded !== undefined && taken === 2 * decoded + 1
  return {
    what: packed === 1 ? 'latents' : `packed latents (${packed} pixels a token)`,
    wanted: isInpainting ? decoded : taken,
    wantedBy: component,
    given: decoded === undefined ? undefined : decoded * packed,
    givenBy: 'vae_decoder',
  }
}

export interface LatentInput {
  readonly component: string
  readonly input: string
  readonly axis: number
  readonly packed?: number
  /** The denoiser may be one that was trained for inpainting, which takes more channels. */
  readonly inpainting?: boolean
}

export function sum(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? undefined : left + right
}
