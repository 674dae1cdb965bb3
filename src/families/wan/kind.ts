/** Which of Wan's kinds a folder is, told by its configs: what it is drawn from, and how it is fed. */

import type { KeyframeRules } from '../family.ts'
import { type ModelView, numberIn } from '../model-view.ts'

export interface WanKind {
  readonly keyframes: KeyframeRules
  /** The transformer takes the pictures' CLIP states. */
  readonly hasVision: boolean
  /** Channels of the mask and of the encoded pictures that follow the latents' own. */
  readonly isConditioned: boolean
  /** A timestep a token (Wan 2.2 TI2V 5B). */
  readonly expandsTimesteps: boolean
  /** `transformer` draws at timesteps from this share of the training's on, `transformer_2` below; null: one draws all. */
  readonly boundaryRatio: number | null
}

export function wanKind(model: ModelView): WanKind {
  const { boundary_ratio: boundary, expand_timesteps: expand } = model.modelIndex
  const hasVision = numberIn(model, 'transformer', 'image_dim') !== undefined
  const channels = numberIn(model, 'transformer', 'in_channels') ?? 0
  const isConditioned = channels > (numberIn(model, 'transformer', 'out_channels') ?? channels)
  const takesBoth = numberIn(model, 'transformer', 'pos_embed_seq_len') !== undefined
  const expandsTimesteps = expand === true
  return {
    keyframes: keyframesOf({ hasVision, isConditioned, takesBoth, expandsTimesteps }),
    hasVision,
    isConditioned,
    expandsTimesteps,
    boundaryRatio: typeof boundary === 'number' && model.has('transformer_2') ? boundary : null,
  }
}

interface Traits extends Pick<WanKind, 'hasVision' | 'isConditioned' | 'expandsTimesteps'> {
  readonly takesBoth: boolean
}

function keyframesOf({ hasVision, isConditioned, takesBoth, expandsTimesteps }: Traits): KeyframeRules {
  if (takesBoth) return { first: 'needed', last: 'needed' }
  if (hasVision) return { first: 'needed', last: 'none' }
  if (isConditioned) return { first: 'needed', last: 'optional' }
  return { first: expandsTimesteps ? 'optional' : 'none', last: 'none' }
}
