/** Weighted prompts of any length as windows of the text encoder, as AUTOMATIC1111's `sd_hijack_clip.py` cuts them. */

import { PregenError } from '../errors.ts'
import { breakWeight, parsePromptWeights } from './prompt-weights.ts'
import type { PromptTokenizer } from './tokenizer.ts'

/** One window of the text encoder: `modelMaxLength` ids (CLIP: 77) and a weight for each. */
export interface PromptChunk {
  readonly ids: Int32Array
  readonly weights: Float32Array
}

export interface WeightedPrompt {
  /** At least one. */
  readonly chunks: readonly PromptChunk[]
}

/** A chunk that would break within this many tokens after a comma breaks at the comma. */
const commaBacktrack = 20

interface Piece {
  readonly ids: number[]
  readonly weights: number[]
}

/**
 * Cuts a prompt into chunks of `modelMaxLength` − 2 tokens (CLIP: 75) between begin and end tokens. `BREAK`
 * starts a new chunk; a chunk that is full within 20 tokens of a comma hands what follows the comma on.
 *
 * @throws PregenError `E_PROMPT_WEIGHT`; `E_PROMPT_SYNTAX_UNSUPPORTED` for a tokenizer other than CLIP's
 */
export function chunkWeightedPrompt(tokenizer: PromptTokenizer, text: string): WeightedPrompt {
  const room = chunkRoom(tokenizer)
  const commaId = commaTokenId(tokenizer)
  const chunks: PromptChunk[] = []
  let chunk: Piece = { ids: [], weights: [] }
  let lastComma = -1
  const closeChunk = (next: Piece = { ids: [], weights: [] }): void => {
    chunks.push(frameChunk(tokenizer, chunk))
    chunk = next
    lastComma = -1
  }

  for (const [part, weight] of parsePromptWeights(text)) {
    if (part === 'BREAK' && weight === breakWeight) {
      closeChunk()
      continue
    }
    for (const id of tokenizer.encode(part).slice(1, -1)) {
      const isFull = chunk.ids.length === room
      if (id === commaId) lastComma = chunk.ids.length
      else if (isFull && lastComma !== -1 && room - lastComma <= commaBacktrack) {
        const cut = lastComma + 1
        closeChunk({ ids: chunk.ids.splice(cut), weights: chunk.weights.splice(cut) })
      }
      if (chunk.ids.length === room) closeChunk()
      chunk.ids.push(id)
      chunk.weights.push(weight)
    }
  }
  if (chunk.ids.length > 0 || chunks.length === 0) closeChunk()
  return { chunks }
}

/** The chunks, followed by empty ones up to `count`: guidance needs prompt and negative prompt equally long. */
export function padChunks(
  tokenizer: PromptTokenizer,
  chunks: readonly PromptChunk[],
  count: number,
): PromptChunk[] {
  const missing = Math.max(0, count - chunks.length)
  return [
    ...chunks,
    ...Array.from({ length: missing }, () => frameChunk(tokenizer, { ids: [], weights: [] })),
  ]
}

/** Begin, the tokens, end; where pad is not end, everything after the first end is pad. */
function frameChunk(tokenizer: PromptTokenizer, { ids: tokens, weights: tokenWeights }: Piece): PromptChunk {
  const ids = new Int32Array(tokenizer.modelMaxLength).fill(tokenizer.eosTokenId)
  const weights = new Float32Array(tokenizer.modelMaxLength).fill(1)
  ids[0] = tokenizer.bosTokenId ?? tokenizer.eosTokenId
  ids.set(tokens, 1)
  weights.set(tokenWeights, 1)
  ids.fill(tokenizer.padTokenId, ids.indexOf(tokenizer.eosTokenId) + 1)
  return { ids, weights }
}

function chunkRoom({ kind, modelMaxLength }: PromptTokenizer): number {
  if (kind === 'clip') return modelMaxLength - 2
  throw new PregenError('E_PROMPT_SYNTAX_UNSUPPORTED', 'Prompts in chunks are for CLIP text encoders only.', {
    help: 'Leave out "prompt_syntax: a1111" for a model that reads its prompts with T5 alone.',
  })
}

function commaTokenId(tokenizer: PromptTokenizer): number | null {
  const ids = tokenizer.encode(',').slice(1, -1)
  return ids.length === 1 && ids[0] !== tokenizer.eosTokenId ? ids[0]! : null
}
