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

/**
 * A causal model's states do not depend on padding, so none is encoded but what an export has built in.
 * @returns [1, tokens − dropped, channels]
 */
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
  const tokens = Math.min(untruncatedLength, maxTokens)
  const { [output]: states } = await runEncoder(
    encoder,
    padded(encoder, ids.subarray(0, tokens)),
    [output],
    tokens,
  )
  if (states === undefined) throw new Error(`the text encoder gave no ${output}`)
  const [, all = 0, channels = 0] = states.dims
  if (dropped === 0 && all === tokens) return states
  const own = states.data.slice(dropped * channels, tokens * channels)
  return createTensor(own, [1, tokens - dropped, channels])
}

/** To the length that the export has built in, where it has one. */
function padded({ session, tokenizer }: TextEncoder, ids: Int32Array): Int32Array {
  const length = ['input_ids', 'attention_mask']
    .map((name) => session.input(name)?.dims[1])
    .find((size) => typeof size === 'number')
  if (length === undefined || length <= ids.length) return ids
  const all = new Int32Array(length).fill(tokenizer.padTokenId)
  all.set(ids)
  return all
}
