/** What `previews.method` means for one model, decided before anything is drawn. */
import { PregenError } from '../errors.ts'
import { checkChannels } from './latent-rgb.ts'
import { publishedFactors } from './published-factors.ts'

/** What choosing a method must know of a model; a `ModelFacts` fits. */
export interface PreviewModelFacts {
  readonly family: string
  readonly latentChannels: number
  readonly hasPreviewDecoder: boolean
  readonly hasLatentRgb: boolean
  /** Rows in the folder's own `preview.json`; undefined when it has none. */
  readonly latentRgbChannels?: number | undefined
}

/** As a cue sheet says it, and as a unit holds it (null: no previews). */
export type AskedPreviewMethod = 'none' | 'latent2rgb' | 'taesd' | 'full' | 'auto'
export type ResolvedPreviewMethod = 'latent2rgb' | 'taesd' | 'full'

/**
 * `auto` becomes `taesd` where the model has a preview decoder, else `latent2rgb`; every other method is
 * checked against what the model has.
 * @returns null for `none`
 * @throws PregenError `E_PREVIEW_CHANNELS` for factors of another latent space, `E_PREVIEW_FACTORS` where there
 *   are none, `E_PREVIEW_DECODER` for `taesd` without a preview decoder
 */
export function resolvePreviewMethod(
  asked: AskedPreviewMethod,
  facts: PreviewModelFacts,
): ResolvedPreviewMethod | null {
  const method = asked === 'auto' ? (facts.hasPreviewDecoder ? 'taesd' : 'latent2rgb') : asked
  switch (method) {
    case 'none':
      return null
    case 'full':
      return 'full'
    case 'taesd':
      if (facts.hasPreviewDecoder) return 'taesd'
      throw new PregenError(
        'E_PREVIEW_DECODER',
        'previews.method is "taesd", but the model has no preview decoder.',
        {
          help: 'Put a diffusers AutoencoderTiny export into preview_decoder/ of the model folder, name one as preview_decoder in the sheet, or choose latent2rgb.',
        },
      )
    case 'latent2rgb':
      checkLatentRgb(facts)
      return 'latent2rgb'
  }
}

function checkLatentRgb(facts: PreviewModelFacts): void {
  if (facts.latentRgbChannels !== undefined) {
    checkChannels(facts.latentRgbChannels, facts.latentChannels, "The factors of the folder's preview.json")
    return
  }
  if (facts.hasLatentRgb) return
  const published = publishedFactors(facts.family)
  if (published !== null) {
    checkChannels(
      published.factors.length,
      facts.latentChannels,
      `The published factors of the family "${facts.family}"`,
    )
  }
  throw new PregenError(
    'E_PREVIEW_FACTORS',
    `There are no latent2rgb factors for this model (family "${facts.family}", ${facts.latentChannels} latent channels).`,
    {
      help: 'Run `pregen models calibrate` on the model folder to fit its own, or choose previews.method full or none.',
    },
  )
}
