/**
 * Fits latent2rgb to one model: given latents that the model made and what its own VAE decodes them to, the
 * linear map (with bias) of least squared error.
 */
import { PregenError } from '../errors.ts'
import type { LatentRgbFactors } from '../families/family.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { checkChannels, latentSize, latentsToRgb } from './latent-rgb.ts'
import { addPicture, combine, createNormalEquations, type NormalEquations, solve } from './least-squares.ts'
import { type Score, scorePictures } from './score.ts'

/** Final latents [1, C, h, w] and the picture that the VAE decoded from them. */
export interface CalibrationSample extends RgbImage {
  readonly latents: Float32Array
  readonly dims: readonly number[]
}

export interface CalibrationRow {
  /** By the published factors; null when there are none for this latent space. */
  readonly before: RgbImage | null
  /** By the new factors. */
  readonly after: RgbImage
  /** The decoded picture, averaged down to one pixel a latent. */
  readonly truth: RgbImage
}

export interface Calibration {
  /** Fitted to all pictures. */
  readonly factors: LatentRgbFactors
  readonly pictures: number
  readonly pixels: number
  /** Each picture scored under factors fitted to all the others, so that it says what to expect of a new one. */
  readonly fitted: Score
  readonly published: Score | null
  /** How many pictures the scores are of. */
  readonly scored: number
  /** The scored pictures, in order, for a strip. */
  readonly rows: readonly CalibrationRow[]
}

/** Pictures kept for scoring and for the strip; the fit itself takes any number in constant memory. */
const MOST_SCORED = 32

/**
 * @param samples at least two pictures of one model
 * @param published the factors to compare with, if there are any for this latent space
 * @throws PregenError `E_CALIBRATE_SAMPLES` for fewer than two pictures, `E_PREVIEW_CHANNELS` when samples or the
 *   published factors disagree about the channels, `E_PREVIEW_SHAPE`, `E_PREVIEW_NOT_FINITE`
 */
export async function calibrateLatentRgb({
  samples,
  published,
}: {
  readonly samples: AsyncIterable<CalibrationSample> | Iterable<CalibrationSample>
  readonly published: LatentRgbFactors | null
}): Promise<Calibration> {
  const kept: { sample: CalibrationSample; truth: RgbImage; own: NormalEquations }[] = []
  let total: NormalEquations | undefined
  let pictures = 0
  let pixels = 0
  for await (const sample of samples) {
    const { channels, width, height } = latentSize(sample.latents, sample.dims)
    total ??= createNormalEquations(channels)
    checkChannels(total.size - 1, channels, 'The pictures before this one')
    const mean = boxAverage(sample, width, height)
    const own = createNormalEquations(channels)
    addPicture(
      own,
      sample.latents,
      mean.map((level) => level / 127.5 - 1),
    )
    total = combine(total, own, 1)
    pictures++
    pixels += width * height
    if (kept.length < MOST_SCORED) {
      const latents = Float32Array.from(sample.latents)
      const truth = { rgb: Uint8Array.from(mean, Math.round), width, height }
      kept.push({ sample: { ...sample, latents }, truth, own })
    }
  }
  if (total === undefined || pictures < 2) {
    throw new PregenError('E_CALIBRATE_SAMPLES', `Calibrating needs at least two pictures, got ${pictures}.`)
  }

  const sums = total
  const factors = solve(sums)
  const drawn = kept.map(({ sample: { latents, dims }, truth, own }) => ({
    truth,
    heldOut: latentsToRgb(latents, dims, solve(combine(sums, own, -1))),
    after: latentsToRgb(latents, dims, factors),
    before: published && latentsToRgb(latents, dims, published),
  }))
  return {
    factors,
    pictures,
    pixels,
    fitted: scorePictures(drawn.map(({ heldOut, truth }) => ({ guess: heldOut, truth }))),
    published:
      published &&
      scorePictures(drawn.flatMap(({ before, truth }) => (before ? [{ guess: before, truth }] : []))),
    scored: drawn.length,
    rows: drawn.map(({ before, after, truth }) => ({ before, after, truth })),
  }
}

/**
 * The mean of every box of pixels that one latent stands for: [height, width, 3] in levels 0 … 255.
 * @throws PregenError `E_PREVIEW_SHAPE` when the picture is not a whole multiple of width × height
 */
export function boxAverage(image: RgbImage, width: number, height: number): Float64Array {
  const across = image.width / width
  const down = image.height / height
  if (!Number.isInteger(across) || !Number.isInteger(down)) {
    throw new PregenError(
      'E_PREVIEW_SHAPE',
      `A picture of ${image.width} × ${image.height} is not a whole multiple of its ${width} × ${height} latents.`,
    )
  }
  const sums = new Float64Array(width * height * 3)
  for (let y = 0; y < image.height; y++) {
    const row = Math.floor(y / down) * width
    for (let x = 0; x < image.width; x++) {
      const from = (y * image.width + x) * 3
      const to = (row + Math.floor(x / across)) * 3
      for (let colour = 0; colour < 3; colour++) sums[to + colour]! += image.rgb[from + colour]!
    }
  }
  const area = across * down
  return sums.map((sum) => sum / area)
}
