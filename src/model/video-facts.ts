/** What planning must know of a folder that makes videos. */
import { existsSync } from 'node:fs'
import type { VideoRules } from '../families/family.ts'
import type { ComponentName } from '../families/index.ts'
import { type ModelView, numberIn } from '../families/model-view.ts'
import type { VideoCostFacts, VideoFacts } from '../plan/model-facts.ts'
import type { ModelFolder } from './folder.ts'
import { type OnnxHeader, readOnnxHeader } from './onnx-header.ts'
import { viewOf } from './view.ts'
import { readVisionFacts } from './vision-config.ts'

/** @param numFrames that its export has built in; null: any */
export function videoFacts(folder: ModelFolder, rules: VideoRules, numFrames: number | null): VideoFacts {
  const view = viewOf(folder)
  const defaults = rules.defaults(view)
  return {
    ...defaults,
    numFrames: numFrames ?? defaults.numFrames,
    framesPerLatent: rules.framesPerLatent(view),
    keyframes: rules.keyframes(view),
    startsFromVideo: rules.startsFromVideo(view),
    hasSecondExpert: folder.components.transformer_2 !== undefined,
    textLength: rules.textLength(view),
    vision: visionOf(folder, view),
    cost: costOf(folder, view, rules.framesPerLatent(view)),
  }
}

function visionOf({ path, components }: ModelFolder, view: ModelView): VideoFacts['vision'] {
  if (components.image_encoder === undefined) return null
  return readVisionFacts(path, numberIn(view, 'image_encoder', 'image_size') ?? 224)
}

/**
 * Carried for each pixel of a frame at the published widths, in float32: 12 values at an eighth of the size, 7 at a quarter, 6 at
 * half and 7 at all of it come to 3.5 GiB at 480 × 832 (base 96); of Wan 2.2's residual VAE 2.7 GiB (base 256).
 */
const CACHE = { plain: { bytesAPixel: 9410, base: 96 }, residual: { bytesAPixel: 7260, base: 256 } } as const

function costOf(folder: ModelFolder, view: ModelView, framesPerLatent: number): VideoCostFacts {
  const number = (key: string, otherwise: number) => numberIn(view, 'transformer', key) ?? otherwise
  const heads = number('num_attention_heads', 12)
  const cache = view.config('vae_decoder', 'is_residual') === true ? CACHE.residual : CACHE.plain
  const base = numberIn(view, 'vae_decoder', 'decoder_base_dim') ?? numberIn(view, 'vae_decoder', 'base_dim')
  const headers = (...names: ComponentName[]) => names.flatMap((name) => headerOf(folder, name) ?? [])
  const bytes = (...names: ComponentName[]) =>
    headers(...names).reduce((sum, header) => sum + bytesOf(header), 0)
  const experts = [bytes('transformer'), bytes('transformer_2')]
  return {
    framesPerLatent,
    tokenSide: 2 * folder.vae.scale,
    heads,
    layers: number('num_layers', 30),
    channels: heads * number('attention_head_dim', 128),
    feedForward: number('ffn_dim', 8960),
    maxPositions: number('rope_max_seq_len', 1024),
    hasFusedAttention: headers('transformer').some((header) => header.hasFusedAttention),
    weights: {
      text: bytes('text_encoder'),
      // One of the two is in memory at a time.
      denoiser: Math.max(...experts),
      vae: bytes(
        'vae_decoder',
        'vae_decoder_with_past',
        'vae_encoder',
        'vae_encoder_with_past',
        'image_encoder',
      ),
    },
    cacheBytesAPixel: (cache.bytesAPixel * (base ?? cache.base)) / cache.base,
  }
}

function headerOf({ components }: ModelFolder, name: ComponentName): OnnxHeader | null {
  const path = components[name]?.modelPath
  return path === undefined || !existsSync(path) ? null : readOnnxHeader(path)
}

/** Of the file and of the data that it names. */
function bytesOf({ sizeBytes, externalData }: OnnxHeader): number {
  return externalData.reduce((sum, { length }) => sum + (length ?? 0), sizeBytes)
}
