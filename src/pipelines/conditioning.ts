/** The texts of a batch as the denoiser takes them. */
import { PregenError } from '../errors.ts'
import { stack } from '../tensor/join.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { GenerateRequest, PromptRequest } from './pipeline.ts'

export interface StackedConditioning {
  /** [rows, tokens, channels]: negatives before positives under guidance. */
  readonly embeds: Tensor
  /** [rows, channels], or null where the family has none. */
  readonly pooled: Tensor | null
}

/** Whose texts: the prompts', the negative prompts', or both, negatives first. */
export type Sides = 'positive' | 'negative' | 'both'

/**
 * @param sides true stands for `both`, false for `positive`
 * @throws RangeError when guidance needs negatives that were not encoded, or when prompts of different lengths are to
 *   share a batch (weighted prompts of different chunk counts)
 */
export function stackConditioning(
  requests: readonly GenerateRequest[],
  sides: Sides | boolean = 'positive',
): StackedConditioning {
  const texts = requests.map(({ conditioning }) => conditioning)
  const withNegative = sides === true || sides === 'both' || sides === 'negative'
  const withPositive = sides !== 'negative'
  const all = (
    negative: 'negativePromptEmbeds' | 'negativePooledPromptEmbeds',
    positive: 'promptEmbeds' | 'pooledPromptEmbeds',
  ): Tensor =>
    stack(
      [...(withNegative ? [negative] : []), ...(withPositive ? [positive] : [])].flatMap((name) =>
        texts.map(({ [name]: tensor }) => {
          if (tensor === null)
            throw new RangeError('the conditioning lacks a part that this generation needs')
          return tensor
        }),
      ),
    )
  const embeds = all('negativePromptEmbeds', 'promptEmbeds')
  const hasPooled = texts[0]!.pooledPromptEmbeds !== null
  return { embeds, pooled: hasPooled ? all('negativePooledPromptEmbeds', 'pooledPromptEmbeds') : null }
}

/** @throws PregenError E_PROMPT_SYNTAX for families whose text encoders are not CLIP alone */
export function requirePlainSyntax(request: PromptRequest, family: string): void {
  if (request.promptSyntax !== 'a1111') return
  throw new PregenError('E_PROMPT_SYNTAX', `prompt_syntax: a1111 does not exist for ${family}.`, {
    help: 'Weights and chunks are for Stable Diffusion 1 and 2, SDXL and LCM. Leave prompt_syntax out.',
  })
}
