/** What a unit's final file is, by the kind of its medium: a row for each, and nothing else asks what kind it is. */
import type { RgbImage } from '../tensor/rgb-image.ts'
import { comparePngs, type PictureDifference } from './compare-png.ts'
import { contentTypeOf, FINAL_NAME } from './layout.ts'
import { encodePng } from './png.ts'

export interface OutputKind {
  /** `type` of its entry in manifest.json. */
  readonly type: 'image'
  /** Name in the variant's folder. */
  readonly name: string
  /** `format` in manifest.json. */
  readonly format: 'png'
  readonly contentType: string
  /** @param metadata text that the file carries, or undefined */
  readonly encode: (drawn: RgbImage, metadata: string | undefined) => Promise<Uint8Array>
  /** How far two files are apart, for `verify --rerender`. */
  readonly compare: (kept: Uint8Array, drawn: Uint8Array) => Promise<PictureDifference>
}

export const OUTPUT_KINDS = {
  image: {
    type: 'image',
    name: FINAL_NAME,
    format: 'png',
    contentType: contentTypeOf(FINAL_NAME),
    encode: ({ rgb, width, height }, metadata) => encodePng(rgb, width, height, { metadata }),
    compare: comparePngs,
  },
} as const satisfies Record<string, OutputKind>
