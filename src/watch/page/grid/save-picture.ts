/** The grid as one PNG, labels included. */
import { fileUrl, type Home, type VersionRef } from '../data/home.ts'
import type { Variant } from '../data/show.ts'
import { labelOf, type layOut, type Placement } from '../model/axes.ts'

interface SaveOptions {
  readonly home: Home
  readonly version: VersionRef
  readonly layout: ReturnType<typeof layOut>
  readonly placement: Placement
  /** Of a picture, in pixels. */
  readonly cell: { readonly width: number; readonly height: number }
  /** Of the file, without its ending. */
  readonly name: string
}

// What every browser's canvas takes.
const LONGEST_EDGE = 16_000
const MOST_PIXELS = 120_000_000
const LOADS_AT_ONCE = 8
const GAP = 6
const HEAD = 36
const TITLE = 44
const LABEL = 140
const FONT = '14px Inter, system-ui, sans-serif'

interface Draw {
  readonly variant: Variant
  readonly x: number
  readonly y: number
}

/** @returns what to tell the viewer */
export async function saveGrid(options: SaveOptions): Promise<string> {
  const { layout, placement, cell } = options
  const left = placement.rows === null ? GAP : LABEL
  const width = left + layout.columns.length * (cell.width + GAP)
  const lines = layout.sections.reduce((sum, { rows }) => sum + rows.length, 0)
  const titles = layout.sections.filter(({ title }) => title.length > 0).length
  const height = HEAD + titles * TITLE + lines * (cell.height + GAP)
  const scale = Math.min(2, LONGEST_EDGE / Math.max(width, height), Math.sqrt(MOST_PIXELS / (width * height)))
  const canvas = document.createElement('canvas')
  canvas.width = Math.ceil(width * scale)
  canvas.height = Math.ceil(height * scale)
  const context = canvas.getContext('2d')
  if (context === null) return 'This browser has no room for it'
  context.scale(scale, scale)
  context.imageSmoothingQuality = 'high'
  const draws = drawLabels(context, options, left, { width, height })
  const missing = await drawPictures(context, draws, options)
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'))
  if (blob === null) return 'This browser has no room for it'
  download(blob, `${options.name}.png`)
  return missing === 0 ? 'Saved' : `Saved, ${missing} missing`
}

function drawLabels(
  context: CanvasRenderingContext2D,
  { layout, placement, cell }: SaveOptions,
  left: number,
  size: { width: number; height: number },
): readonly Draw[] {
  const style = getComputedStyle(document.body)
  context.fillStyle = style.backgroundColor
  context.fillRect(0, 0, size.width, size.height)
  context.fillStyle = style.color
  context.font = FONT
  context.textBaseline = 'middle'
  const columnAt = (place: number) => left + place * (cell.width + GAP)
  context.textAlign = 'center'
  for (const [place, column] of layout.columns.entries()) {
    context.fillText(labelOf(placement.cols, column), columnAt(place) + cell.width / 2, HEAD / 2, cell.width)
  }
  const draws: Draw[] = []
  let y = HEAD
  for (const { title, rows } of layout.sections) {
    if (title.length > 0) {
      context.textAlign = 'left'
      context.fillText(title.map(({ axis, value }) => labelOf(axis, value)).join(' · '), left, y + TITLE / 2)
      y += TITLE
    }
    for (const row of rows) {
      context.textAlign = 'right'
      if (row.value !== null) {
        context.fillText(labelOf(placement.rows, row.value), left - 12, y + cell.height / 2, left - 20)
      }
      for (const [place, { variants }] of row.cells.entries()) {
        const variant = variants[0]
        if (variant !== undefined) draws.push({ variant, x: columnAt(place), y })
      }
      y += cell.height + GAP
    }
  }
  return draws
}

/** @returns how many pictures could not be had */
async function drawPictures(
  context: CanvasRenderingContext2D,
  draws: readonly Draw[],
  { home, version, cell }: SaveOptions,
): Promise<number> {
  const rest = [...draws]
  let missing = 0
  const work = async () => {
    for (let draw = rest.shift(); draw !== undefined; draw = rest.shift()) {
      const { variant, x, y } = draw
      const response =
        variant.state === 'done' ? await fetch(fileUrl(home, version, variant, 'final.png')) : null
      if (response?.ok !== true) {
        missing += 1
        context.globalAlpha = 0.12
        context.fillRect(x, y, cell.width, cell.height)
        context.globalAlpha = 1
        continue
      }
      const bitmap = await decode(await response.blob())
      if (bitmap === null) {
        missing += 1
        continue
      }
      // As on the page: cut to fill its place.
      const fit = Math.max(cell.width / bitmap.width, cell.height / bitmap.height)
      const [w, h] = [cell.width / fit, cell.height / fit]
      context.drawImage(
        bitmap,
        (bitmap.width - w) / 2,
        (bitmap.height - h) / 2,
        w,
        h,
        x,
        y,
        cell.width,
        cell.height,
      )
      bitmap.close()
    }
  }
  await Promise.all(Array.from({ length: LOADS_AT_ONCE }, work))
  return missing
}

/** null for a damaged one. */
async function decode(blob: Blob): Promise<ImageBitmap | null> {
  try {
    return await createImageBitmap(blob)
  } catch (error) {
    if (error instanceof DOMException) return null
    throw error
  }
}

function download(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
