/** What a video needs of a machine, from its size and its model's configs alone: memory, work, and what cannot be drawn at all. */
import type { ErrorCode } from '../error-codes.ts'
import type { VideoCostFacts } from './model-facts.ts'

/** Rows of pixels and frames. */
export interface VideoExtent {
  readonly width: number
  readonly height: number
  readonly numFrames: number
}

export interface VideoCost {
  /** Tokens that attend to each other. */
  readonly tokens: number
  /** Most memory that is held at once, roughly. */
  readonly memoryBytes: number
  /** Floating-point operations of one call of the denoiser. */
  readonly flopsACall: number
}

const FLOAT_BYTES = 4
/** Tensors of all tokens that a transformer's block holds at once, roughly. */
const LIVE_TENSORS = 12
const TEXT_TOKENS = 512
/** What scores of plain attention may take: beyond it no machine is asked. */
const MAX_SCORES_BYTES = 8 * 2 ** 30

interface Grid {
  readonly frames: number
  readonly rows: number
  readonly columns: number
}

function tokenGridOf(
  { width, height, numFrames }: VideoExtent,
  { tokenSide, framesPerLatent }: VideoCostFacts,
): Grid {
  return {
    frames: (numFrames - 1) / framesPerLatent + 1,
    rows: height / tokenSide,
    columns: width / tokenSide,
  }
}

export function videoCost(size: VideoExtent, cost: VideoCostFacts): VideoCost {
  const { frames, rows, columns } = tokenGridOf(size, cost)
  const tokens = frames * rows * columns
  const { weights, layers, channels, feedForward } = cost
  const scores = cost.hasFusedAttention ? 0 : scoresBytes(tokens, cost)
  const drawing = LIVE_TENSORS * tokens * channels * FLOAT_BYTES + scores
  // The values of the last call and those of this one are held at once.
  const decoding = 2 * cost.cacheBytesAPixel * size.width * size.height
  const ofDenoiser = weights.denoiser + weights.vae
  const memoryBytes = Math.max(weights.text, ofDenoiser + drawing, ofDenoiser + decoding)
  const attention = 4 * tokens * tokens * channels + 4 * tokens * TEXT_TOKENS * channels
  const projections = 12 * tokens * channels ** 2 + 4 * tokens * channels * feedForward
  return { tokens, memoryBytes, flopsACall: layers * (attention + projections) }
}

/** Of one layer: every head holds a number for each pair of tokens. */
function scoresBytes(tokens: number, { heads }: VideoCostFacts): number {
  return heads * tokens * tokens * FLOAT_BYTES
}

/** Why a model cannot draw this, and the nearest that it can; null: it can. */
export function sizeFault(
  size: VideoExtent,
  cost: VideoCostFacts,
): {
  readonly setting: 'numFrames' | 'width' | 'height'
  readonly code: ErrorCode
  readonly why: string
  readonly help: string
} | null {
  const { maxPositions, framesPerLatent, tokenSide } = cost
  const { frames, rows, columns } = tokenGridOf(size, cost)
  const framesOf = (latentFrames: number) => (latentFrames - 1) * framesPerLatent + 1
  if (frames > maxPositions) {
    const why = `is ${size.numFrames}; the model knows positions for ${framesOf(maxPositions)} frames`
    const help = `Use num_frames: ${framesOf(maxPositions)} or less.`
    return { setting: 'numFrames', code: 'E_VIDEO_SIZE', why, help }
  }
  for (const [setting, count] of [
    ['width', columns],
    ['height', rows],
  ] as const) {
    if (count <= maxPositions) continue
    const why = `is ${size[setting]}; the model knows positions for ${maxPositions * tokenSide} pixels`
    return { setting, code: 'E_VIDEO_SIZE', why, help: `Use ${maxPositions * tokenSide} or less.` }
  }
  const tokens = frames * rows * columns
  const needed = scoresBytes(tokens, cost)
  if (cost.hasFusedAttention || needed <= MAX_SCORES_BYTES) return null
  const most = Math.floor(Math.sqrt(MAX_SCORES_BYTES / (cost.heads * FLOAT_BYTES)) / (rows * columns))
  const why =
    `makes ${tokens} tokens: the scores of the model's plain attention would take ${gibibytes(needed)} of memory, ` +
    `and ${gibibytes(MAX_SCORES_BYTES)} are the limit`
  const less =
    most >= 1 ? `Use num_frames: ${framesOf(most)} or less at this size, or` : 'Make the video smaller, or'
  const help = `${less} export the model with fused attention (com.microsoft.MultiHeadAttention, docs/video.md).`
  return { setting: 'numFrames', code: 'E_ATTENTION_MEMORY', why, help }
}

export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}
