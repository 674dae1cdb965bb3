/** The kinds of moving pictures that are written: what each is made with. A row each, and nothing else asks which it is. */

const VIDEO_FORMATS = ['mp4', 'webm', 'webp', 'gif', 'prores', 'hap'] as const
export type VideoFormat = (typeof VIDEO_FORMATS)[number]

/** What a video that a model makes may be written as: `video_format` of a sheet. */
export const OUTPUT_VIDEO_FORMATS = [
  'mp4',
  'webm',
  'webp',
  'prores',
] as const satisfies readonly VideoFormat[]
export type OutputVideoFormat = (typeof OUTPUT_VIDEO_FORMATS)[number]

/** A format that FFmpeg encodes. */
export interface EncodedFormat {
  readonly extension: string
  readonly contentType: string
  /** FFmpeg's names. */
  readonly muxer: string
  readonly encoder: string
  readonly pixelFormat: string
  /** Sides are padded to multiples of so many pixels. */
  readonly sideMultiple: number
  readonly encoderOptions: Readonly<Record<string, string>>
  readonly muxerOptions: Readonly<Record<string, string>>
  /** Every frame stands for itself, so none but the first need be a key frame. */
  readonly isIntra: boolean
}

/** A format of pictures that sharp encodes. */
interface AnimatedFormat {
  readonly extension: string
  readonly contentType: string
}

/**
 * `crf` 10 keeps noise, which early steps are, above 38 dB of luma; pictures that are done come out near 45. Rates and
 * durations are told in the rate's own units (`movie_timescale` is set by the writers), not in rounded milliseconds.
 */
export const ENCODED_FORMATS: Readonly<Record<'mp4' | 'webm' | 'prores' | 'hap', EncodedFormat>> = {
  mp4: {
    extension: 'mp4',
    contentType: 'video/mp4',
    muxer: 'mp4',
    encoder: 'libx264',
    pixelFormat: 'yuv420p',
    sideMultiple: 2,
    encoderOptions: { crf: '10', preset: 'medium' },
    muxerOptions: { movflags: '+faststart' },
    isIntra: false,
  },
  webm: {
    extension: 'webm',
    contentType: 'video/webm',
    muxer: 'webm',
    encoder: 'libvpx-vp9',
    pixelFormat: 'yuv420p',
    sideMultiple: 2,
    encoderOptions: { crf: '12', b: '0', deadline: 'good', 'cpu-used': '4', 'row-mt': '1' },
    muxerOptions: { cues_to_front: '1' },
    isIntra: false,
  },
  prores: {
    extension: 'mov',
    contentType: 'video/quicktime',
    muxer: 'mov',
    encoder: 'prores_ks',
    pixelFormat: 'yuv422p10le',
    sideMultiple: 2,
    encoderOptions: { profile: '3', vendor: 'apl0' },
    muxerOptions: { movflags: '+faststart' },
    isIntra: true,
  },
  hap: {
    extension: 'mov',
    contentType: 'video/quicktime',
    muxer: 'mov',
    encoder: 'hap',
    pixelFormat: 'rgba',
    sideMultiple: 4,
    encoderOptions: { format: 'hap' },
    muxerOptions: { movflags: '+faststart' },
    isIntra: true,
  },
}

const ANIMATED_FORMATS: Readonly<Record<'webp' | 'gif', AnimatedFormat>> = {
  webp: { extension: 'webp', contentType: 'image/webp' },
  gif: { extension: 'gif', contentType: 'image/gif' },
}

export type AnimatedFormatName = keyof typeof ANIMATED_FORMATS

export function isAnimated(format: VideoFormat): format is AnimatedFormatName {
  return format in ANIMATED_FORMATS
}

/** By format, without a dot. */
export const VIDEO_EXTENSIONS = {
  mp4: 'mp4',
  webm: 'webm',
  webp: 'webp',
  gif: 'gif',
  prores: 'mov',
  hap: 'mov',
} as const satisfies Readonly<Record<VideoFormat, string>>
