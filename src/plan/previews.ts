/** What a unit's `previews` come to on its model. */
import type { SheetPreviews } from '../cue-sheet/setting-values.ts'
import { familyOf } from '../families/index.ts'
import type { ModelFacts } from './model-facts.ts'
import type { PreviewSettings } from './unit.ts'

/** The program that makes no step pictures unless asked to. */
export const PLAIN_PROGRAM = 'P0'

export type ResolvedPreviews =
  | { readonly previews: PreviewSettings | null }
  | { readonly code: string; readonly why: string; readonly help: string }

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
  const { method: wanted = 'auto', every = 1, source = 'denoised', size = 'image' } = asked ?? {}
  const method = wanted === 'auto' ? (hasDecoder ? 'taesd' : 'latent2rgb') : wanted
  if (method === 'none') return { previews: null }
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
  return { previews: { method, every, source, size } }
}
