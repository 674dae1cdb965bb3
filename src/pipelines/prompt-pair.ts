/** Prompt and negative prompt through the CLIP encoders of a family, in either prompt syntax. */

import { joinTokens } from '../tensor/join.ts'
import { createTensor, type Tensor } from '../tensor/tensor.ts'
import { applyTokenWeights } from '../text/token-weights.ts'
import { chunkWeightedPrompt, type PromptChunk, padChunks } from '../text/weighted-chunks.ts'
import type { TextEncoder } from './models.ts'
import type { PromptRequest, PromptWarning } from './pipeline.ts'
import { inStage } from './stage.ts'
import { type ClipOptions, type ClipStates, encodeClipText, runClip } from './text-conditioning.ts'

/** What one encoder is given. */
export interface EncoderTexts {
  readonly encoder: TextEncoder
  readonly prompt: string
  /** null: the negative side is not computed by this encoder (SDXL's zeros). */
  readonly negativePrompt: string | null
}

export interface EncodedPair {
  /** One entry per encoder. */
  readonly positive: readonly ClipStates[]
  /** null without guidance, or where a negative prompt was null. */
  readonly negative: readonly ClipStates[] | null
  readonly warnings: readonly PromptWarning[]
}

/** Both sides come out equally long, in every encoder: guidance puts them into one batch. */
export async function encodePair(
  texts: readonly EncoderTexts[],
  request: PromptRequest,
  options: ClipOptions,
): Promise<EncodedPair> {
  const withNegative = request.withNegative && texts.every(({ negativePrompt }) => negativePrompt !== null)
  if (request.promptSyntax === 'a1111') return encodeWeighted(texts, withNegative, options)

  const warnings = createWarnings()
  const positive: ClipStates[] = []
  const negative: ClipStates[] = []
  for (const { encoder, prompt, negativePrompt } of texts) {
    positive.push(await encodeClipText(encoder, prompt, options, warnings.warn))
    if (withNegative)
      negative.push(await encodeClipText(encoder, negativePrompt ?? '', options, warnings.warn))
  }
  return { positive, negative: withNegative ? negative : null, warnings: warnings.all() }
}

async function encodeWeighted(
  texts: readonly EncoderTexts[],
  withNegative: boolean,
  options: ClipOptions,
): Promise<EncodedPair> {
  const chunked = await inStage('text encode', async () =>
    texts.map(({ encoder, prompt, negativePrompt }) => ({
      encoder,
      positive: chunkWeightedPrompt(encoder.tokenizer, prompt).chunks,
      negative: withNegative ? chunkWeightedPrompt(encoder.tokenizer, negativePrompt ?? '').chunks : [],
    })),
  )
  const count = Math.max(...chunked.map((each) => Math.max(each.positive.length, each.negative.length)))
  const positive: ClipStates[] = []
  const negative: ClipStates[] = []
  for (const each of chunked) {
    positive.push(await runChunks(each.encoder, each.positive, count, options))
    if (withNegative) negative.push(await runChunks(each.encoder, each.negative, count, options))
  }
  return { positive, negative: withNegative ? negative : null, warnings: [] }
}

/** Chunks are encoded one by one, weighted, and joined on the token axis; the pooled vector is the first chunk's. */
async function runChunks(
  encoder: TextEncoder,
  chunks: readonly PromptChunk[],
  count: number,
  options: ClipOptions,
): Promise<ClipStates> {
  const hidden: Tensor[] = []
  let pooled: Tensor | null = null
  for (const { ids, weights } of padChunks(encoder.tokenizer, chunks, count)) {
    const states = await runClip(encoder, ids, options)
    hidden.push(createTensor(applyTokenWeights(states.hidden.data, weights), states.hidden.dims))
    pooled ??= states.pooled
  }
  return { hidden: hidden.reduce((joined, chunk) => joinTokens(joined, chunk)), pooled }
}

/** Collects warnings; encoders that cut the same text off say so once. */
export function createWarnings(): {
  readonly warn: (warning: PromptWarning) => void
  readonly all: () => readonly PromptWarning[]
} {
  const byMessage = new Map<string, PromptWarning>()
  return {
    warn: (warning) => byMessage.set(warning.message, warning),
    all: () => [...byMessage.values()],
  }
}
