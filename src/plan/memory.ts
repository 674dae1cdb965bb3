/**
 * How much memory drawing with a model takes at its peak, reckoned from what its files say: weights as they lie in
 * memory, and the largest activations by the family's shape and the picture's size. Rough: within a third of what was
 * measured on published models, and pure.
 */

/** A component's weights. */
export interface WeightFacts {
  /** Of its .onnx file and the data files that it names. */
  readonly bytes: number
  /** Whether they are half precision. */
  readonly half: boolean
}

/** A level of a denoiser that attends: every place of the latents to every other. */
export interface AttentionLevel {
  /** Places of the latents along an edge for one of this level's tokens. */
  readonly stride: number
  readonly heads: number
  /** Tokens of text among them. */
  readonly textTokens: number
  /** Of all heads. */
  readonly width: number
}

export interface MemoryFacts {
  /** All of them are loaded together, and freed before the denoiser is. */
  readonly encoders: readonly WeightFacts[]
  readonly denoiser: WeightFacts
  readonly vae: readonly WeightFacts[]
  readonly levels: readonly AttentionLevel[]
  /** Channels of the VAE's levels, that of the whole picture first. */
  readonly vaeChannels: readonly number[]
  readonly vaeScale: number
  /** Guidance gives the denoiser both halves in one call; else one after the other. */
  readonly stacksGuidance: boolean
}

export interface PictureShape {
  readonly width: number
  readonly height: number
  readonly batch: number
  /** Whether a negative half is evaluated too. */
  readonly guided: boolean
}

export interface MemoryEstimate {
  readonly peakBytes: number
  /** Of the peak: what no other size or batch would save. */
  readonly weightBytes: number
  readonly stage: 'text encode' | 'draw'
}

/** Node, ONNX Runtime, its tables and arenas. */
const PROCESS_BYTES = 250 * 2 ** 20
/** Scores of an attention and their softmax. */
const ATTENTION_COPIES = 2
/** Tensors of one width that live at once in a block, skip connections among them. */
const BLOCK_TENSORS = 8
const VAE_TENSORS = 3
/** Latents from which guidance takes its halves in turn on the CPU: the same rule as the denoiser's. */
const HALVES_FROM_PLACES = 64 * 64

export function estimateMemory(
  model: MemoryFacts,
  picture: PictureShape,
  device: 'cpu' | 'gpu',
): MemoryEstimate {
  const resident = ({ bytes, half }: WeightFacts) =>
    // The CPU has no kernels for half precision: weights are widened once.
    device === 'cpu' && half ? 2 * bytes : bytes
  const sum = (parts: readonly WeightFacts[]) => parts.reduce((total, part) => total + resident(part), 0)
  const encode = PROCESS_BYTES + sum(model.encoders)
  const weights = sum([model.denoiser, ...model.vae])
  const numberBytes = (half: boolean) => (device === 'gpu' && half ? 2 : 4)
  const activations = Math.max(
    denoiserNumbers(model, picture, device) * numberBytes(model.denoiser.half),
    vaeNumbers(model, picture) * numberBytes(model.vae.every(({ half }) => half)),
  )
  const draw = PROCESS_BYTES + weights + activations
  return encode > draw
    ? { peakBytes: encode, weightBytes: encode, stage: 'text encode' }
    : { peakBytes: draw, weightBytes: PROCESS_BYTES + weights, stage: 'draw' }
}

/** Numbers of the largest attention and of the blocks around it. */
function denoiserNumbers(
  { levels, vaeScale, stacksGuidance }: MemoryFacts,
  picture: PictureShape,
  device: 'cpu' | 'gpu',
): number {
  const { width, height, batch, guided } = picture
  const places = (width / vaeScale) * (height / vaeScale)
  const inTurn = device === 'cpu' && places >= HALVES_FROM_PLACES
  const rows = batch * (guided && stacksGuidance && !inTurn ? 2 : 1)
  const ofLevel = ({ stride, heads, textTokens, width: channels }: AttentionLevel) => {
    const tokens = places / stride ** 2 + textTokens
    return rows * (ATTENTION_COPIES * heads * tokens ** 2 + BLOCK_TENSORS * tokens * channels)
  }
  return Math.max(0, ...levels.map(ofLevel))
}

/** Pictures are decoded one by one. The levels above the lowest come in with the channels of the one below. */
function vaeNumbers({ vaeChannels }: MemoryFacts, { width, height }: PictureShape): number {
  const pixels = width * height
  const ofLevel = (_: number, level: number) => {
    const channels = vaeChannels[Math.min(level + 1, vaeChannels.length - 1)] ?? 0
    return (VAE_TENSORS * channels * pixels) / 4 ** level
  }
  return Math.max(0, ...vaeChannels.map(ofLevel))
}

/** Memory of graphics cards as they are sold, in GiB that shops call GB. */
const CARDS_GB = [4, 6, 8, 12, 16, 24, 32, 48, 80, 96, 141, 192]
/** Of a card's memory: what its driver, a screen and CUDA's own tables take. */
const CARD_RESERVE_BYTES = 2 ** 30

/** The smallest card that takes so much, in GB; null: none does. */
export function smallestCard({ peakBytes }: MemoryEstimate): number | null {
  return CARDS_GB.find((gb) => gb * 2 ** 30 - CARD_RESERVE_BYTES >= peakBytes) ?? null
}

/** `a card of 16 GB`. */
export function cardWords(estimate: MemoryEstimate): string {
  const gb = smallestCard(estimate)
  return gb === null ? `more than a card of ${CARDS_GB.at(-1)} GB` : `a card of ${gb} GB`
}

/** Below the estimate by this much, memory is surely too little. */
const SURELY = 0.8

/** Whether so much memory cannot be enough. */
export function cannotFit({ peakBytes }: MemoryEstimate, bytes: number): boolean {
  return peakBytes * SURELY > bytes
}

/** The nearest change that fits, in words of settings; null: the weights alone do not. */
export function whatFits(
  model: MemoryFacts,
  picture: PictureShape,
  device: 'cpu' | 'gpu',
  bytes: number,
): string | null {
  const fits = (shape: PictureShape) => !cannotFit(estimateMemory(model, shape, device), bytes)
  const alone = { ...picture, batch: 1 }
  if (picture.batch > 1 && fits(alone)) return 'batch: 1'
  for (let part = 0.75; part >= 0.25; part -= 0.25) {
    const side = (value: number) => Math.floor((value * part) / 64) * 64
    const smaller = { ...alone, width: side(picture.width), height: side(picture.height) }
    if (smaller.width > 0 && smaller.height > 0 && fits(smaller)) {
      return `${picture.batch > 1 ? 'batch: 1, ' : ''}width: ${smaller.width}, height: ${smaller.height}`
    }
  }
  return null
}

/** Above the estimate by this much, memory is surely enough. */
const SURELY_ENOUGH = 4 / 3

/** The most pictures a call that memory surely holds; 1 where not even that is sure. @param upTo from 1 */
export function mostThatFits(
  model: MemoryFacts,
  picture: Omit<PictureShape, 'batch'>,
  device: 'cpu' | 'gpu',
  { bytes, upTo }: { readonly bytes: number; readonly upTo: number },
): number {
  let most = 1
  while (most < upTo) {
    const { peakBytes } = estimateMemory(model, { ...picture, batch: most + 1 }, device)
    if (peakBytes * SURELY_ENOUGH > bytes) break
    most++
  }
  return most
}
