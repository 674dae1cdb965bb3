/** Frame rates as exact fractions: what is 29.97 by name is 30000/1001, and no error adds up over a film. */

/** Frames a second, in lowest terms. */
export interface FrameRate {
  readonly numerator: number
  readonly denominator: number
}

export const MAX_FPS = 240

/** Rates of television, whose decimal names are rounded (SMPTE ST 12-1): 24000/1001 and its kin. */
const TELEVISION: ReadonlyMap<number, number> = new Map([
  [23.976, 24],
  [23.98, 24],
  [29.97, 30],
  [47.952, 48],
  [59.94, 60],
  [119.88, 120],
])
/** Decimals that a rate may have. */
const SCALE = 1000

/**
 * @param fps above 0, at most 240
 * @throws RangeError
 */
export function parseFrameRate(fps: number): FrameRate {
  if (!(fps > 0 && fps <= MAX_FPS)) {
    throw new RangeError(`a frame rate is above 0 and at most ${MAX_FPS}, not ${fps}`)
  }
  const whole = TELEVISION.get(fps)
  if (whole !== undefined) return { numerator: whole * 1000, denominator: 1001 }
  const numerator = Math.max(1, Math.round(fps * SCALE))
  const common = gcd(numerator, SCALE)
  return { numerator: numerator / common, denominator: SCALE / common }
}

/** How long so many frames last, in seconds. */
export function secondsOf(frames: number, { numerator, denominator }: FrameRate): number {
  return (frames * denominator) / numerator
}

/** The frame whose moment is nearest; of two that are equally near, the later. */
export function nearestFrame(ms: number, { numerator, denominator }: FrameRate): number {
  return Math.floor((ms * numerator) / (1000 * denominator) + 0.5)
}

/** `24`, `30000/1001`, as FFmpeg reads it. */
export function rateText({ numerator, denominator }: FrameRate): string {
  return denominator === 1 ? String(numerator) : `${numerator}/${denominator}`
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
