/** The gallery's groups as rows of a given width. */
import type { Variant } from '../data/show.ts'
import type { CueGroup } from './filter.ts'
import type { ListRow } from './rows.ts'

export type GalleryRow =
  | (ListRow & { readonly kind: 'cue'; readonly group: CueGroup })
  | (ListRow & { readonly kind: 'tiles'; readonly variants: readonly Variant[]; readonly tile: TileSize })

export interface TileSize {
  /** Pixels. */
  readonly width: number
  /** Of the picture, without the line below it. */
  readonly height: number
}

const GAP_PX = 12
const CUE_PX = 44
const PROMPT_PX = 24
const CAPTION_PX = 44
// Beyond these, a picture is cut to fit.
const NARROWEST = 0.5
const WIDEST = 2.2

/**
 * @param width of the list, in pixels
 * @param wish width of a tile, in pixels; what is left over is shared out
 * @param textScale how much larger than usual the page's text is
 */
export function galleryRows(
  groups: readonly CueGroup[],
  width: number,
  wish: number,
  textScale = 1,
): readonly GalleryRow[] {
  const columns = Math.max(1, Math.floor((width + GAP_PX) / (wish + GAP_PX)))
  const narrow = columns === 1 && width > 340
  const across = narrow ? 2 : columns
  const tileWidth = Math.max(40, Math.floor((width - GAP_PX * (across - 1)) / across))
  return groups.flatMap((group) => {
    const tile = { width: tileWidth, height: Math.round(tileWidth / aspectOf(group.variants)) }
    const head: GalleryRow = {
      kind: 'cue',
      key: `cue ${group.cue}`,
      height: (CUE_PX + (group.prompt === null ? 0 : PROMPT_PX)) * textScale,
      group,
    }
    const rows: GalleryRow[] = [head]
    for (let at = 0; at < group.variants.length; at += across) {
      const variants = group.variants.slice(at, at + across)
      const key = `tiles ${group.cue}/${variants[0]?.variant}`
      rows.push({ kind: 'tiles', key, height: tile.height + CAPTION_PX * textScale, variants, tile })
    }
    return rows
  })
}

/** Width by height of the first picture that tells it. */
function aspectOf(variants: readonly Variant[]): number {
  for (const { facts } of variants) {
    if (facts.width !== null && facts.height !== null && facts.height > 0) {
      return Math.min(WIDEST, Math.max(NARROWEST, facts.width / facts.height))
    }
  }
  return 1
}
