/** What a unit's final file is, by the kind of its medium: a row for each, and nothing else asks what kind it is. */
import type { RgbImage } from '../tensor/rgb-image.ts'
import { comparePngs, type PictureDifference } from './compare-png.ts'
import { encodePng, isPng } from './png.ts'

export interface OutputKind {
  /** `type` of its entry in manifest.json, and `output` of a unit. */
  readonly type: string
  /** Name in the variant's folder: `final.` and an extension, 17 bytes at most with a slash before it. */
  readonly name: string
  /** `format` in manifest.json. */
  readonly format: string
  readonly contentType: string
  /** @param metadata text that the file carries, or undefined */
  readonly encode: (drawn: RgbImage, metadata: string | undefined) => Promise<Uint8Array>
  /** Why a file that came from elsewhere is none of this kind, to follow its name; null: it is one. */
  readonly fault: (bytes: Buffer) => string | null
  /** How far two files are apart, for `verify --rerender`. */
  readonly compare: (kept: Uint8Array, drawn: Uint8Array) => Promise<PictureDifference>
}

/** In the order in which a variant's files are listed. `outputKindOf` in layout.ts looks them up. */
export const OUTPUT_KINDS: readonly OutputKind[] = [
  {
    type: 'image',
    name: 'final.png',
    format: 'png',
    contentType: 'image/png',
    encode: ({ rgb, width, height }, metadata) => encodePng(rgb, width, height, { metadata }),
    fault: (bytes) => (isPng(bytes) ? null : 'is no PNG'),
    compare: comparePngs,
  },
]
