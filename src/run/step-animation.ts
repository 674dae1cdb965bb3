/** A step of a video as a small animated WebP: each latent frame for as long as the frames that it becomes. */
import { encodeAnimation } from '../media/animation.ts'
import { parseFrameRate } from '../media/frame-rate.ts'
import type { Unit } from '../plan/unit.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'

/** There is one a step, of what is not yet the video. */
const QUALITY = 75

/**
 * The first latent frame is one frame of the video, every other one of the same number.
 * @returns whole milliseconds, which add up to the video's; rounded on the running sum
 */
export function latentFrameTimes(
  count: number,
  { fps = 1, numFrames = count }: Pick<Unit, 'fps' | 'numFrames'>,
) {
  const { numerator, denominator } = parseFrameRate(fps)
  const each = count > 1 ? (numFrames - 1) / (count - 1) : 0
  const endOf = (frame: number) =>
    frame < 0 ? 0 : Math.round(((1 + frame * each) * 1000 * denominator) / numerator)
  return Array.from({ length: count }, (_, frame) => endOf(frame) - endOf(frame - 1))
}

/** @param frames of one size. The same frames give the same bytes. */
export async function animateStep(
  frames: readonly RgbImage[],
  unit: Pick<Unit, 'fps' | 'numFrames'>,
): Promise<Uint8Array> {
  const times = latentFrameTimes(frames.length, unit)
  return await encodeAnimation(
    'webp',
    frames.map((picture, at) => ({ picture, durationMs: Math.max(1, times[at] ?? 0) })),
    QUALITY,
  )
}
