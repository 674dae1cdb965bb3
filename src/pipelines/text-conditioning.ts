/** One text through one encoder: ids in, hidden states and pooled vector out, as copies in float32. */
import { copyOf } from '../tensor/join.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { withoutTail } from '../text/chat-tail.ts'
import type { TextEncoder } from './models.ts'
import type { PromptWarning } from './pipeline.ts'
import { inStage, requireSound } from './stage.ts'

export interface ClipStates {
  /** [1, 77, channels] */
  readonly hidden: Tensor
  /** [1, channels] */
  readonly pooled: Tensor | null
}

export interface ClipOptions {
  /** Which hidden state: after the last layer (Stable Diffusion), or before it (SDXL, SD3). */
  readonly layer: 'last' | 'penultimate'
  /** The output that holds the pooled vector where the encoder has it, or null where none is wanted. */
  readonly pooled: 'text_embeds' | 'pooler_output' | null
}

/** Collects what the person should know about their prompts. */
export type Warn = (warning: PromptWarning) => void

/**
 * diffusers' plain prompts: padded or cut to the tokenizer's length.
 * @param options `maxLength` defaults to the tokenizer's own
 */
export async function encodeClipText(
  encoder: TextEncoder,
  text: string,
  options: ClipOptions & { readonly maxLength?: number },
  warn: Warn,
): Promise<ClipStates> {
  const { maxLength = encoder.tokenizer.modelMaxLength } = options
  return runClip(encoder, tokenize(encoder, text, { limit: maxLength }, warn).ids, options)
}

/** @param ids padded token ids, with start and end */
export async function runClip(
  encoder: TextEncoder,
  ids: ArrayLike<number>,
  options: ClipOptions,
): Promise<ClipStates> {
  const hiddenName =
    options.layer === 'last' ? 'last_hidden_state' : `hidden_states.${encoder.hiddenLayers - 1}`
  const pooledName =
    options.pooled !== null && encoder.session.hasOutput(options.pooled) ? options.pooled : null
  const names = pooledName === null ? [hiddenName] : [hiddenName, pooledName]
  const outputs = await runEncoder(encoder, ids, names)
  return { hidden: outputs[hiddenName]!, pooled: pooledName === null ? null : outputs[pooledName]! }
}

/** @returns [1, maxLength, channels]; the padding is encoded too, without a mask, as diffusers does */
export async function encodeT5(
  encoder: TextEncoder,
  text: string,
  maxLength: number,
  warn: Warn,
): Promise<Tensor> {
  const { ids } = tokenize(encoder, text, { limit: maxLength }, warn)
  const outputs = await runEncoder(encoder, ids, ['last_hidden_state'])
  return outputs.last_hidden_state!
}

export interface MaskedText {
  /** Copies of the outputs that were asked for, a row a place, pads too. */
  readonly states: Readonly<Record<string, Tensor>>
  /** The text's own places, from the first on. */
  readonly tokens: number
}

export interface MaskedTextOptions {
  /** Places, pads and all. */
  readonly length: number
  /** The outputs that are wanted. */
  readonly names: readonly string[]
  /** What a template puts after the text, of which no warning speaks. */
  readonly tail?: string
}

/** One text padded or cut to `length`, its padding hidden from the encoder by the mask. */
export async function encodeMasked(
  encoder: TextEncoder,
  text: string,
  { length, names, tail = '' }: MaskedTextOptions,
  warn: Warn,
): Promise<MaskedText> {
  const { ids, tokens } = tokenize(encoder, text, { limit: length, tail }, warn)
  return { states: await runEncoder(encoder, ids, names, tokens), tokens }
}

interface TokenizeOptions {
  readonly limit: number
  readonly tail?: string
}

/** @returns `tokens`: those of the text that are read */
function tokenize(
  { tokenizer }: TextEncoder,
  text: string,
  { limit, tail = '' }: TokenizeOptions,
  warn: Warn,
) {
  const { ids, untruncatedLength, truncatedText } = tokenizer.tokenize(text, limit)
  if (truncatedText !== null) {
    const cut = tail === '' ? truncatedText : withoutTail(truncatedText, tail)
    warn(truncationWarning(untruncatedLength, limit, cut))
  }
  return { ids, tokens: Math.min(untruncatedLength, limit) }
}

/**
 * @param ids padded
 * @param real how many of them are the text's own, from the first on; by default the mask, where there is one, hides none
 * @returns copies of the outputs
 */
export async function runEncoder(
  encoder: TextEncoder,
  ids: ArrayLike<number>,
  names: readonly string[],
  real = ids.length,
): Promise<Readonly<Record<string, Tensor>>> {
  const { session } = encoder
  return inStage('text encode', async () => {
    const input = session.createInput('input_ids', [1, ids.length])
    input.write(ids)
    const inputs = [input]
    if (session.input('attention_mask') !== null) {
      const mask = session.createInput('attention_mask', [1, ids.length])
      mask.write(new Uint8Array(ids.length).fill(1, 0, real))
      inputs.push(mask)
    }
    const shapes = Object.fromEntries(names.map((name) => [name, shapeOf(name, ids.length)]))
    const outputs = await session.run(inputs, names, shapes)
    return Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => {
        requireSound(tensor.data, `${session.label}’s ${name}`)
        return [name, copyOf(tensor)]
      }),
    )
  })
}

/** Hidden states have a row a token, pooled vectors have none. */
function shapeOf(name: string, tokens: number): (number | null)[] {
  return name === 'text_embeds' || name === 'pooler_output' ? [1, null] : [1, tokens, null]
}

export function truncationWarning(length: number, limit: number, cut: string): PromptWarning {
  return {
    code: 'W_PROMPT_TRUNCATED',
    message: `The prompt has ${length} tokens and the model reads ${limit}; cut off: "${cut}"`,
  }
}
