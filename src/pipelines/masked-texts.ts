/** Prompts of unequal length in one call: zeros pad the shorter ones, and a mask says so. */

import type { ModelSession } from '../model/session.ts'
import { createTensor, type Tensor } from '../tensor/tensor.ts'
import type { GenerateRequest } from './pipeline.ts'

/** A text's states, and its mask as the families call it. */
const MASKED = ['encoder_hidden_states', 'encoder_attention_mask', 'encoder_hidden_states_mask'] as const

export interface MaskedTexts {
  /** [batch, tokens, channels] */
  readonly embeds: Tensor
  /** [batch, tokens]: 1 for a token, 0 for what pads. */
  readonly mask: Tensor
}

/**
 * One side of a batch's texts, to the length of its longest, or to the one that the export has built in.
 * @throws RangeError when the side was not encoded, or the texts differ in channels
 */
export function maskedTexts(
  requests: readonly GenerateRequest[],
  side: 'promptEmbeds' | 'negativePromptEmbeds',
  denoiser: Pick<ModelSession, 'input'>,
): MaskedTexts {
  const texts = requests.map(({ conditioning: { [side]: text } }) => {
    if (text === null) throw new RangeError('the conditioning lacks a part that this generation needs')
    return text
  })
  const [, , channels = 0] = texts[0]?.dims ?? []
  const builtIn = MASKED.map((name) => denoiser.input(name)?.dims[1]).find((size) => typeof size === 'number')
  const tokens = Math.max(builtIn ?? 0, ...texts.map(({ dims }) => dims[1] ?? 0))
  const embeds = new Float32Array(texts.length * tokens * channels)
  const mask = new Float32Array(texts.length * tokens)
  for (const [index, { data, dims }] of texts.entries()) {
    if (dims[2] !== channels) throw new RangeError('texts of one batch differ in channels')
    embeds.set(data, index * tokens * channels)
    mask.fill(1, index * tokens, index * tokens + (dims[1] ?? 0))
  }
  return {
    embeds: createTensor(embeds, [texts.length, tokens, channels]),
    mask: createTensor(mask, [texts.length, tokens]),
  }
}
