/** How near one picture comes to another. */
import type { RgbImage } from '../tensor/rgb-image.ts'

/**
 * R², the share of the true picture's variance that the guess explains: 1 − Σ(true − guess)² / Σ(true − mean)²
 * over all pixels and colours, each colour about its own mean. 1 is perfect, 0 no better than one flat colour.
 * A flat true picture scores 1 when met exactly, else 0.
 * @throws RangeError when the sizes differ
 */
export function rSquared(guess: RgbImage, truth: RgbImage): number {
  const error = squaredError(guess, truth)
  const pixels = truth.width * truth.height
  let variance = 0
  for (let colour = 0; colour < 3; colour++) {
    let mean = 0
    for (let i = colour; i < truth.rgb.length; i += 3) mean += truth.rgb[i]!
    mean /= pixels
    for (let i = colour; i < truth.rgb.length; i += 3) variance += (truth.rgb[i]! - mean) ** 2
  }
  if (variance === 0) return error === 0 ? 1 : 0
  return 1 - error / variance
}

/** Mean squared error in 8-bit levels². @throws RangeError when the sizes differ */
export function meanSquaredError(guess: RgbImage, truth: RgbImage): number {
  return squaredError(guess, truth) / truth.rgb.length
}

/** Peak signal-to-noise ratio in dB of 8-bit pictures; infinite when they are equal. */
function psnrOfError(meanSquared: number): number {
  return 10 * Math.log10(255 ** 2 / meanSquared)
}

/** Peak signal-to-noise ratio in dB. @throws RangeError when the sizes differ */
export function psnr(guess: RgbImage, truth: RgbImage): number {
  return psnrOfError(meanSquaredError(guess, truth))
}

export interface Score {
  /** Mean of the pictures' R². */
  readonly r2: number
  /** PSNR in dB of the mean squared error over all pictures. */
  readonly psnr: number
}

export interface Scorer {
  /** @throws RangeError when the sizes differ */
  add(guess: RgbImage, truth: RgbImage): void
  /** @throws RangeError for no pictures at all */
  score(): Score
}

/** Scores pictures one by one, so that none need be kept. */
export function createScorer(): Scorer {
  let pictures = 0
  let r2 = 0
  let error = 0
  return {
    add(guess, truth) {
      r2 += rSquared(guess, truth)
      error += meanSquaredError(guess, truth)
      pictures++
    },
    score() {
      if (pictures === 0) throw new RangeError('a score needs at least one picture')
      return { r2: r2 / pictures, psnr: psnrOfError(error / pictures) }
    },
  }
}

/** @throws RangeError for no pictures at all */
export function scorePictures(pairs: readonly { guess: RgbImage; truth: RgbImage }[]): Score {
  const scorer = createScorer()
  for (const { guess, truth } of pairs) scorer.add(guess, truth)
  return scorer.score()
}

function squaredError(guess: RgbImage, truth: RgbImage): number {
  if (guess.width !== truth.width || guess.height !== truth.height) {
    throw new RangeError(
      `pictures of ${guess.width} × ${guess.height} and ${truth.width} × ${truth.height} cannot be compared`,
    )
  }
  let sum = 0
  for (let i = 0; i < truth.rgb.length; i++) sum += (guess.rgb[i]! - truth.rgb[i]!) ** 2
  return sum
}
