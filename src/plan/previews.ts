/** What a unit's `previews` come to on its model. */

import type { SheetPreviews } from '../cue-sheet/setting-values.ts'
import type { ErrorCode } from '../error-codes.ts'
import { familyOf } from '../families/index.ts'
import type { ModelFacts } from './model-facts.ts'
import type { PreviewSettings } from './unit.ts'

/** The program that makes no step pictures unless asked to. */
const PLAIN_PROGRAM = 'P0'

export type ResolvedPreviews =
  /** `warning`: what was taken instead of what would have been, and why. */
  | {
      readonly previews: PreviewSettings | null
      readonly warning?: { readonly code: string; readonly message: string }
    }
  | { readonly code: ErrorCode; readonly why: string; readonly help: string }

/**
 * @param asked undefined: the sheet says nothing
 * @param hasDecoder whether the model has a preview decoder, its own or one that the sheet names
 */
export function resolvePreviews(
  asked: SheetPreviews | false | undefined,
  program: string,
  facts: ModelFacts,
  hasDecoder: boolean,
): ResolvedPreviews {
  if (asked === false || (asked === undefined && program === PLAIN_PROGRAM)) return { previews: null }
  const { previewDecoderFault: broken } = facts
  const {
    method: wanted = 'auto',
    every = 1,
    source = 'denoised',
    size = 'image',
    frames = 'middle',
  } = asked ?? {}
  const isUsable = hasDecoder && !broken
  const method = wanted === 'auto' ? (isUsable ? 'taesd' : 'latent2rgb') : wanted
  if (method === 'none') return { previews: null }
  if (method === 'taesd' && broken) {
    return {
      code: broken.code,
      why: `asks for taesd, but the preview decoder cannot be used: ${broken.file}: ${broken.message}`.replace(
        /\.$/,
        '',
      ),
      help: `${broken.help}\nOr choose latent2rgb.`,
    }
  }
  if (method === 'taesd' && !hasDecoder) {
    return {
      code: 'E_PREVIEW_DECODER',
      why: 'asks for taesd, but the model has no preview decoder',
      help: 'Name one as preview_decoder under "models", put one into the model folder, or choose latent2rgb.',
    }
  }
  if (method === 'latent2rgb' && !facts.hasLatentRgb) {
    const published = familyOf(facts.family).latentChannels
    const { latentChannels } = facts
    const help = '"pregen models calibrate" fits factors to the model itself; or choose method full or none.'
    return published === latentChannels
      ? { code: 'E_PREVIEW_FACTORS', why: 'comes to latent2rgb, but the model has no factors for it', help }
      : {
          code: 'E_PREVIEW_CHANNELS',
          why: `comes to latent2rgb, but the model's latents have ${latentChannels} channels and the factors published for ${facts.family} have ${published}`,
          help,
        }
  }
  if (!facts.video && frames === 'animated') {
    const why = `asks for frames: animated, but ${familyOf(facts.family).title} makes pictures, whose steps do not move`
    return {
      code: 'E_SETTING_UNSUITED',
      why,
      help: 'Take frames away, or use a model that makes videos (docs/video.md).',
    }
  }
  // A step by the VAE of videos takes as long as the video's end: it is asked for one frame.
  const isMiddleAlone = facts.video && method === 'full' && frames !== 'middle'
  const shown = isMiddleAlone ? 'middle' : frames
  const previews = { method, every, source, size, ...(facts.video && { frames: shown }) }
  if (isMiddleAlone) {
    const message = `previews by the model's own VAE (method: full) show the middle frame alone; frames: ${frames} is for latent2rgb and taesd`
    return { previews, warning: { code: 'W_PREVIEW_FRAMES', message } }
  }
  if (wanted !== 'auto' || !broken) return { previews }
  const message = `previews are drawn by ${method}, for the preview decoder cannot be used: ${broken.file}: ${broken.message}`
  return { previews, warning: { code: 'W_PREVIEW_DECODER', message } }
}
