/** Draws what a moment of a film shows: a picture, a cross-fade, or several in a grid. */
import { messageOf } from '../errors.ts'
import { loadSharp } from '../images/load-sharp.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { Cut } from './cuts.ts'
import { changedSinceRun, pictureName, type ReadPicture } from './picture-file.ts'
import type { Shown } from './schedule.ts'

export interface Grid {
  readonly columns: number
  readonly rows: number
  readonly cellWidth: number
  readonly cellHeight: number
}

export interface Painter {
  readonly width: number
  readonly height: number
  /** The same object as the time before where nothing changed. */
  paint(shown: readonly Shown[]): Promise<RgbImage>
}

/** The longest sides of a film of several: more than that no player takes. */
const MAX_GRID = { width: 3840, height: 2160 } as const

/** As near to a square of cells as may be; cells are made smaller where together they would be too large. */
export function gridOf(count: number, cell: { readonly width: number; readonly height: number }): Grid {
  const columns = Math.ceil(Math.sqrt(count))
  const rows = Math.ceil(count / columns)
  if (count === 1) return { columns, rows, cellWidth: cell.width, cellHeight: cell.height }
  const scale = Math.min(1, MAX_GRID.width / (columns * cell.width), MAX_GRID.height / (rows * cell.height))
  const side = (pixels: number) => Math.max(1, Math.floor(pixels * scale))
  return { columns, rows, cellWidth: side(cell.width), cellHeight: side(cell.height) }
}

/** @param cells a way to each one's pictures */
export function createPainter(cells: readonly ReadPicture[], grid: Grid): Painter {
  const { columns, rows, cellWidth, cellHeight } = grid
  const [width, height] = [columns * cellWidth, rows * cellHeight]
  const decoders = cells.map((read) => createDecoder(read, cellWidth, cellHeight))
  let last: { key: string; image: RgbImage } | null = null

  const cellOf = async (cell: number, { picture, from, share }: Shown): Promise<RgbImage> => {
    const decode = decoders[cell]!
    const to = await decode(picture)
    if (from === undefined || share === undefined) return to
    return blend(await decode(from), to, share)
  }

  return {
    width,
    height,
    async paint(shown) {
      const key = JSON.stringify(shown)
      if (last?.key === key) return last.image
      const painted = await Promise.all(shown.map((one, cell) => cellOf(cell, one)))
      const image = painted.length === 1 ? painted[0]! : tile(painted, grid)
      last = { key, image }
      return image
    },
  }
}

/** Keeps the two pictures that a cross-fade needs. */
function createDecoder(
  read: ReadPicture,
  width: number,
  height: number,
): (picture: Cut['picture']) => Promise<RgbImage> {
  const kept = new Map<Cut['picture'], RgbImage>()
  return async (picture) => {
    const known = kept.get(picture)
    if (known) return known
    const sharp = await loadSharp()
    const bytes = await read(picture)
    const rgb = await sharp(bytes, { failOn: 'error', ignoreIcc: true })
      .removeAlpha()
      .toColourspace('srgb')
      .resize(width, height, { fit: 'contain', background: '#000', kernel: 'lanczos3' })
      .raw({ depth: 'uchar' })
      .toBuffer()
      .catch((error: unknown) => {
        throw changedSinceRun(pictureName(picture), `cannot be decoded: ${messageOf(error)}`, error)
      })
    const image = { rgb: new Uint8Array(rgb), width, height }
    for (const old of [...kept.keys()].slice(0, Math.max(0, kept.size - 1))) kept.delete(old)
    kept.set(picture, image)
    return image
  }
}

function blend(from: RgbImage, to: RgbImage, share: number): RgbImage {
  const rgb = new Uint8Array(to.rgb.length)
  for (let at = 0; at < rgb.length; at++) {
    rgb[at] = Math.round(from.rgb[at]! * (1 - share) + to.rgb[at]! * share)
  }
  return { ...to, rgb }
}

/** Row by row; places without a cell stay black. */
function tile(cells: readonly RgbImage[], { columns, rows, cellWidth, cellHeight }: Grid): RgbImage {
  const width = columns * cellWidth
  const height = rows * cellHeight
  const rgb = new Uint8Array(width * height * 3)
  for (const [at, cell] of cells.entries()) {
    const left = (at % columns) * cellWidth
    const top = Math.floor(at / columns) * cellHeight
    for (let y = 0; y < cellHeight; y++) {
      rgb.set(cell.rgb.subarray(y * cellWidth * 3, (y + 1) * cellWidth * 3), ((top + y) * width + left) * 3)
    }
  }
  return { rgb, width, height }
}
