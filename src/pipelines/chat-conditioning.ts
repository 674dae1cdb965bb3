/** A prompt in a chat's template through a language model: hidden states of the text's own tokens, none for padding. */

import { createTensor, type Tensor } from '../tensor/tensor.ts'
import { withoutTail } from '../text/chat-tail.ts'
import type { TextEncoder } from './models.ts'
import { runEncoder, truncationWarning, type Warn } from './text-conditioning.ts'

export interface ChatPrompt {
  /** Neither trimmed nor escaped: special tokens within it are read as such, as diffusers does. */
  readonly prompt: string
  /** What the chat template puts before and after it. */
  readonly template: readonly [before: string, after: string]
  /** Tokens that are encoded at most; what is beyond is cut off on the right, the template's end first. */
  readonly maxTokens: number
  /** The output that holds the hidden states. */
  readonly output: string
  /** Leading tokens of the template whose states are thrown away; default: none. */
  readonly dropped?: number
}

/** @returns [1, tokens − dropped, channels]. A causal model's states do not depend on padding, so none is encoded. */
export async function encodeChat(
  encoder: TextEncoder,
  { prompt, template: [before, after], maxTokens, output, dropped = 0 }: ChatPrompt,
  warn: Warn,
): Promise<Tensor> {
  const { ids, untruncatedLength, truncatedText } = encoder.tokenizer.tokenize(
    before + prompt + after,
    maxTokens,
  )
  if (truncatedText !== null) {
    const [length, limit] = [untruncatedLength - dropped, maxTokens - dropped]
    warn(truncationWarning(length, limit, withoutTail(truncatedText, after.trim())))
  }
  const own = ids.subarray(0, Math.min(untruncatedLength, maxTokens))
  const { [output]: states } = await runEncoder(encoder, own, [output])
  if (states === undefined) throw new Error(`the text encoder gave no ${output}`)
  if (dropped === 0) return states
  const [, tokens = 0, channels = 0] = states.dims
  return createTensor(states.data.slice(dropped * channels), [1, tokens - dropped, channels])
}
