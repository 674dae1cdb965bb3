/** Contact sheets: rows of pictures side by side, for looking at previews. */
import { PregenError } from '../errors.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { Calibration } from './calibrate.ts'
import { enlarge } from './enlarge.ts'

export interface StripOptions {
  /** Size of every cell in pixels. Default: the first picture's. */
  readonly cellWidth?: number | undefined
  readonly cellHeight?: number | undefined
  /** Pixels between cells and around the sheet. Default 4. */
  readonly gap?: number | undefined
  /** Default white. */
  readonly background?: readonly [number, number, number] | undefined
}

/**
 * Lays pictures out row by row, `columns` in each; a null leaves its cell empty. Pictures of another size are
 * brought to the cell's (stretched: give cells of their aspect).
 * @throws PregenError `E_PREVIEW_SHAPE` when there is no picture, or no column
 */
export async function composeStrip(
  images: readonly (RgbImage | null)[],
  columns: number,
  options: StripOptions = {},
): Promise<RgbImage> {
  const first = images.find((image) => image !== null)
  if (!first || !Number.isInteger(columns) || columns < 1) {
    throw new PregenError('E_PREVIEW_SHAPE', 'A strip needs at least one picture and one column.')
  }
  const {
    cellWidth = first.width,
    cellHeight = first.height,
    gap = 4,
    background = [255, 255, 255],
  } = options
  const rows = Math.ceil(images.length / columns)
  const width = columns * (cellWidth + gap) + gap
  const height = rows * (cellHeight + gap) + gap
  const rgb = new Uint8Array(width * height * 3)
  for (let i = 0; i < rgb.length; i++) rgb[i] = background[i % 3]!
  for (const [index, image] of images.entries()) {
    if (image === null) continue
    const cell = await enlarge(image, cellWidth, cellHeight)
    const left = gap + (index % columns) * (cellWidth + gap)
    const top = gap + Math.floor(index / columns) * (cellHeight + gap)
    for (let y = 0; y < cellHeight; y++) {
      const line = cell.rgb.subarray(y * cellWidth * 3, (y + 1) * cellWidth * 3)
      rgb.set(line, ((top + y) * width + left) * 3)
    }
  }
  return { rgb, width, height }
}

/**
 * Before / after / true of a calibration, one picture a row (before is left out where no factors were
 * published), every cell `cellWidth` wide.
 */
export async function composeCalibrationStrip(
  { rows, published }: Pick<Calibration, 'rows' | 'published'>,
  cellWidth = 128,
): Promise<RgbImage> {
  const images = rows.flatMap(({ before, after, truth }) =>
    published ? [before, after, truth] : [after, truth],
  )
  const truth = rows[0]?.truth
  const cellHeight = truth ? Math.round((cellWidth * truth.height) / truth.width) : cellWidth
  return await composeStrip(images, published ? 3 : 2, { cellWidth, cellHeight })
}
