/** When a family evaluates its model a second time, without the prompt or for the negative one. */

/**
 * - `second-evaluation`: above a guidance scale of 1
 * - `second-evaluation-from-zero`: above 0, since its formula adds to the prompt's own answer (Z-Image)
 * - `true-cfg`: above a true_cfg_scale of 1, and only where a negative prompt was given; an empty one counts (FLUX.1,
 *   Qwen-Image)
 * - `distilled`: never
 */
export type GuidanceKind = 'second-evaluation' | 'second-evaluation-from-zero' | 'true-cfg' | 'distilled'

/** The part of a family's facts that this is about. */
export interface GuidanceFacts {
  readonly guidance: GuidanceKind
  readonly defaults: { readonly guidanceScale: number; readonly trueCfgScale?: number }
}

export interface GuidanceSettings {
  readonly guidanceScale: number
  /** undefined: the family's default, else 1. */
  readonly trueCfgScale?: number | undefined
  readonly negativePrompt?: string | undefined
}

export function usesNegativePrompt(
  { guidance, defaults }: GuidanceFacts,
  settings: GuidanceSettings,
): boolean {
  switch (guidance) {
    case 'second-evaluation':
    case 'second-evaluation-from-zero':
      return settings.guidanceScale > noGuidance({ guidance })
    case 'true-cfg':
      return trueCfgScale({ defaults }, settings) > 1 && settings.negativePrompt !== undefined
    case 'distilled':
      return false
  }
}

/** The scale up to which the model follows the prompt as it has learned to, and no further. */
export function noGuidance({ guidance }: Pick<GuidanceFacts, 'guidance'>): 0 | 1 {
  return guidance === 'second-evaluation-from-zero' ? 0 : 1
}

export function trueCfgScale(
  { defaults }: Pick<GuidanceFacts, 'defaults'>,
  { trueCfgScale: asked }: Pick<GuidanceSettings, 'trueCfgScale'>,
): number {
  return asked ?? defaults.trueCfgScale ?? 1
}
