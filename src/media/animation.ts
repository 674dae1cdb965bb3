/** Animated WebP and GIF by sharp: the same pictures and times give the same bytes. */
import { writeFile } from 'node:fs/promises'
import { PregenError } from '../errors.ts'
import { loadSharp } from '../images/load-sharp.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { assertSize, type EncodeSpec, type VideoWriter } from './encode-spec.ts'
import type { AnimatedFormatName } from './video-formats.ts'

export interface TimedPicture {
  readonly picture: RgbImage
  /** Whole milliseconds, 1 or more; in a GIF a multiple of 10, 20 or more. */
  readonly durationMs: number
}

/** Of films and videos. */
const WEBP_QUALITY = 90
/** sharp takes them as one tall picture, and it is in memory whole. */
const MAX_ANIMATION_BYTES = 1024 * 1024 * 1024
/** The tallest picture of libvips' formats. */
const MAX_SIDE = 16_383
/** The longest that sharp lets a picture stay: what is longer stays by being there again. In tens, as a GIF counts. */
const MAX_DELAY_MS = 65_530

/**
 * All pictures of one size. Repeats for ever.
 * @param quality of WebP, 1 to 100
 * @throws PregenError `E_ANIMATION_TOO_LARGE`
 */
export async function encodeAnimation(
  format: AnimatedFormatName,
  timed: readonly TimedPicture[],
  quality = WEBP_QUALITY,
): Promise<Uint8Array> {
  const pictures = timed.flatMap(inPieces)
  const [first] = pictures
  if (!first) throw new RangeError('an animation without pictures')
  const { width, height } = first.picture
  assertAnimationFits(pictures.length, { width, height })
  const rgb = Buffer.allocUnsafe(pictures.length * width * height * 3)
  for (const [at, { picture }] of pictures.entries()) {
    assertSize(picture, { width, height })
    rgb.set(picture.rgb, at * width * height * 3)
  }
  const sharp = await loadSharp()
  const image = sharp(rgb, {
    raw: { width, height: height * pictures.length, channels: 3, pageHeight: height },
    limitInputPixels: false,
  })
  const delay = pictures.map(({ durationMs }) => durationMs)
  return format === 'webp'
    ? image.webp({ quality, effort: 4, loop: 0, delay }).toBuffer()
    : image.gif({ loop: 0, delay, effort: 5, dither: 1 }).toBuffer()
}

function inPieces({ picture, durationMs }: TimedPicture): TimedPicture[] {
  const count = Math.ceil(durationMs / MAX_DELAY_MS)
  if (count <= 1) return [{ picture, durationMs }]
  const last = durationMs - (count - 1) * MAX_DELAY_MS
  return Array.from({ length: count }, (_, at) => ({
    picture,
    durationMs: at < count - 1 ? MAX_DELAY_MS : last,
  }))
}

/** @throws PregenError `E_ANIMATION_TOO_LARGE` */
export function assertAnimationFits(
  count: number,
  size: { readonly width: number; readonly height: number },
): void {
  const fault = animationFault(count, size)
  if (fault) throw fault
}

/** Why so many pictures of a size cannot be one animation; null: they can. */
export function animationFault(
  count: number,
  { width, height }: { readonly width: number; readonly height: number },
): PregenError | null {
  if (count * width * height * 3 <= MAX_ANIMATION_BYTES && Math.max(width, height) <= MAX_SIDE) return null
  return new PregenError(
    'E_ANIMATION_TOO_LARGE',
    `${count} pictures of ${width} × ${height} are more than an animated picture is made of here.`,
    { help: 'Take another format, such as mp4.', exitCode: 3 },
  )
}

/** A video of few frames as one animated picture; the frames wait in memory until `end`. */
export function createAnimationWriter(format: AnimatedFormatName, spec: EncodeSpec): VideoWriter {
  const frames: RgbImage[] = []
  const { numerator, denominator } = spec.frameRate
  const unitMs = format === 'gif' ? 10 : 1
  const momentOf = (frame: number) => Math.round((frame * 1000 * denominator) / (numerator * unitMs)) * unitMs
  return {
    async write(frame) {
      assertSize(frame, spec)
      assertAnimationFits(frames.length + 1, spec)
      frames.push(frame)
    },
    async end() {
      // Rounded on the running sum, so that the whole is as long as it should be.
      const timed = frames.map((picture, at) => ({ picture, durationMs: momentOf(at + 1) - momentOf(at) }))
      const seen = timed.filter(({ durationMs }) => durationMs > 0)
      await writeFile(spec.path, await encodeAnimation(format, seen))
      frames.length = 0
    },
    async abort() {
      frames.length = 0
    },
  }
}
