/** What a unit's final file is, by the kind of its medium: a row for each, and nothing else asks what kind it is. */
import type { OutputVideoFormat } from '../media/video-formats.ts'
import { mp4Fault, quickTimeFault, webmFault, webpFault } from '../media/video-kind.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { comparePngs, type PictureDifference } from './compare-png.ts'
import { encodePng, isPng } from './png.ts'

export interface OutputKind {
  /** `output` of a unit: `image`, or `video`, which is an MP4 unless it says otherwise. */
  readonly id: string
  /** `type` of its entry in manifest.json. */
  readonly type: string
  /** Name in the variant's folder: `final.` and an extension, 17 bytes at most with a slash before it. */
  readonly name: string
  /** `format` in manifest.json. */
  readonly format: string
  readonly contentType: string
  /** What encodes its frames as they come; absent: it is made of the one picture that is drawn. */
  readonly encoder?: OutputVideoFormat
  /**
   * The picture that was drawn, or the first of several: the final file itself, or, of a video, the picture beside it.
   * @param metadata text that the file carries, or undefined
   */
  readonly encode: (drawn: RgbImage, metadata: string | undefined) => Promise<Uint8Array>
  /** Why a file that came from elsewhere is none of this kind, to follow its name; null: it is one. */
  readonly fault: (bytes: Buffer) => string | null
  /** How far two files are apart, for `verify --rerender`; of a video, two of its frames: what encodes them is another's matter. */
  readonly compare: (kept: Uint8Array, drawn: Uint8Array) => Promise<PictureDifference>
}

const encodePicture: OutputKind['encode'] = ({ rgb, width, height }, metadata) =>
  encodePng(rgb, width, height, { metadata })

type VideoRow = Pick<OutputKind, 'id' | 'name' | 'format' | 'contentType' | 'fault'> & {
  readonly encoder: OutputVideoFormat
}

function videoKind(row: VideoRow): OutputKind {
  return { type: 'video', encode: encodePicture, compare: comparePngs, ...row }
}

/** In the order in which a variant's files are listed. `outputKindOf` in file-names.ts looks them up. */
export const OUTPUT_KINDS: readonly OutputKind[] = [
  {
    id: 'image',
    type: 'image',
    name: 'final.png',
    format: 'png',
    contentType: 'image/png',
    encode: encodePicture,
    fault: (bytes) => (isPng(bytes) ? null : 'is no PNG'),
    compare: comparePngs,
  },
  videoKind({
    id: 'video',
    name: 'final.mp4',
    format: 'mp4',
    contentType: 'video/mp4',
    encoder: 'mp4',
    fault: mp4Fault,
  }),
  videoKind({
    id: 'video-webm',
    name: 'final.webm',
    format: 'webm',
    contentType: 'video/webm',
    encoder: 'webm',
    fault: webmFault,
  }),
  videoKind({
    id: 'video-webp',
    name: 'final.webp',
    format: 'webp',
    contentType: 'image/webp',
    encoder: 'webp',
    fault: webpFault,
  }),
  videoKind({
    id: 'video-prores',
    name: 'final.mov',
    format: 'mov',
    contentType: 'video/quicktime',
    encoder: 'prores',
    fault: quickTimeFault,
  }),
]
