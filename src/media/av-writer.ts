/** Encodes with FFmpeg's libraries in this process; the work is done in libuv's threads. */
import type { CodecContext, FormatContext, Frame } from 'node-av/lib'
import type { RgbImage } from '../tensor/rgb-image.ts'
import type { AvBinding } from './av-binding.ts'
import { createConverter, SCALE_FLAGS } from './av-converter.ts'
import { assertSize, type EncodeSpec, type VideoWriter } from './encode-spec.ts'
import type { FrameRate } from './frame-rate.ts'
import { paddedSide, padPicture } from './pad-picture.ts'
import type { EncodedFormat } from './video-formats.ts'

/** @throws FFmpegError, or Error, of what cannot be opened */
export async function createAvWriter(
  binding: AvBinding,
  format: EncodedFormat,
  spec: EncodeSpec,
): Promise<VideoWriter> {
  const { av, constants } = binding
  const { FFmpegError, Rational } = av
  const width = paddedSide(spec.width, format.sideMultiple)
  const height = paddedSide(spec.height, format.sideMultiple)
  const { numerator, denominator } = spec.frameRate
  const timeBase = new Rational(denominator, numerator)
  const converter = await createConverter(binding, {
    width,
    height,
    pixelFormat: constants.AV_PIX_FMT_RGB24,
    timeBase,
    colorSpace: 'gbr',
    range: 'pc',
    filters: filtersOf(format),
  })
  const encoder = await openEncoder(binding, format, { width, height, frameRate: spec.frameRate })
  const muxer = await openMuxer(binding, format, { path: spec.path, encoder, frameRate: spec.frameRate })
  const [stream] = muxer.streams
  if (!stream) throw new Error('a video without a stream')
  const packet = new av.Packet()
  packet.alloc()
  const converted = new av.Frame()
  converted.alloc()
  let shown: RgbImage | null = null
  let frames = 0n
  let isOpen = true

  const drain = async (): Promise<void> => {
    for (;;) {
      const received = await encoder.receivePacket(packet)
      if (received === constants.AVERROR_EAGAIN || received === constants.AVERROR_EOF) return
      FFmpegError.throwIfError(received, 'encode')
      packet.streamIndex = 0
      packet.duration = 1n
      packet.rescaleTs(timeBase, stream.timeBase)
      FFmpegError.throwIfError(await muxer.interleavedWriteFrame(packet), 'write')
    }
  }
  const convert = async (picture: RgbImage): Promise<void> => {
    if (picture === shown) return
    const { rgb } = padPicture(picture, format.sideMultiple)
    const raw = av.Frame.fromVideoBuffer(Buffer.from(rgb.buffer, rgb.byteOffset, rgb.byteLength), {
      width,
      height,
      format: constants.AV_PIX_FMT_RGB24,
      timeBase,
      pts: frames,
    })
    try {
      converted.unref()
      await converter.convert(raw, converted)
      shown = picture
    } finally {
      raw.free()
    }
  }
  const close = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    packet.free()
    converted.free()
    await muxer.closeOutput()
    muxer.freeContext()
    encoder.freeContext()
    converter.free()
  }

  return {
    async write(picture) {
      assertSize(picture, spec)
      await convert(picture)
      stamp(converted, frames, constants.AV_PICTURE_TYPE_NONE)
      frames += 1n
      FFmpegError.throwIfError(await encoder.sendFrame(converted), 'encode')
      await drain()
    },
    async end() {
      FFmpegError.throwIfError(await encoder.sendFrame(null), 'encode')
      await drain()
      FFmpegError.throwIfError(await muxer.writeTrailer(), 'write')
      await close()
    },
    abort: close,
  }
}

function filtersOf({ pixelFormat }: EncodedFormat): (readonly [string, string])[] {
  const isRgb = pixelFormat === 'rgba'
  const colour = isRgb ? '' : 'out_color_matrix=bt709:out_range=tv:'
  return [
    ['scale', `${colour}flags=${SCALE_FLAGS}`],
    ['format', `pix_fmts=${pixelFormat}`],
  ]
}

function stamp(frame: Frame, at: bigint, type: Frame['pictType']): void {
  frame.pts = at
  frame.duration = 1n
  // The encoder decides which frames are key frames.
  frame.pictType = type
}

interface Stream {
  readonly width: number
  readonly height: number
  readonly frameRate: FrameRate
}

async function openEncoder(
  { av, constants }: AvBinding,
  format: EncodedFormat,
  { width, height, frameRate: { numerator, denominator } }: Stream,
): Promise<CodecContext> {
  const codec = av.Codec.findEncoderByName(format.encoder as Parameters<typeof av.Codec.findEncoderByName>[0])
  if (!codec) throw new Error(`there is no encoder ${format.encoder}`)
  const context = new av.CodecContext()
  context.allocContext3(codec)
  context.width = width
  context.height = height
  context.pixelFormat = av.avGetPixFmtFromName(format.pixelFormat)
  context.timeBase = new av.Rational(denominator, numerator)
  context.framerate = new av.Rational(numerator, denominator)
  context.sampleAspectRatio = new av.Rational(1, 1)
  context.colorSpace = constants.AVCOL_SPC_BT709
  context.colorPrimaries = constants.AVCOL_PRI_BT709
  context.colorTrc = constants.AVCOL_TRC_BT709
  context.colorRange = constants.AVCOL_RANGE_MPEG
  // A key frame a second, for players that jump; none but forward references, so that time starts at 0 without an edit.
  context.gopSize = format.isIntra ? 1 : Math.max(1, Math.round(numerator / denominator))
  context.maxBFrames = 0
  context.setFlags(constants.AV_CODEC_FLAG_GLOBAL_HEADER)
  const options = av.Dictionary.fromObject({ ...format.encoderOptions })
  av.FFmpegError.throwIfError(await context.open2(codec, options), format.encoder)
  return context
}

async function openMuxer(
  { av, constants }: AvBinding,
  format: EncodedFormat,
  { path, encoder, frameRate }: { path: string; encoder: CodecContext; frameRate: FrameRate },
): Promise<FormatContext> {
  const { numerator, denominator } = frameRate
  const muxer = new av.FormatContext()
  av.FFmpegError.throwIfError(muxer.allocOutputContext2(null, format.muxer, `file:${path}`), 'muxer')
  // No random numbers and no versions in the file.
  muxer.setFlags(constants.AVFMT_FLAG_BITEXACT)
  const stream = muxer.newStream()
  stream.timeBase = new av.Rational(denominator, numerator)
  stream.avgFrameRate = new av.Rational(numerator, denominator)
  av.FFmpegError.throwIfError(stream.codecpar.fromContext(encoder), 'stream')
  av.FFmpegError.throwIfError(await muxer.openOutput(), path)
  const options = av.Dictionary.fromObject({ ...format.muxerOptions, ...timescaleOf(format, frameRate) })
  av.FFmpegError.throwIfError(await muxer.writeHeader(options), 'header')
  return muxer
}

/** MP4's own clock counts in units of the rate: a duration in milliseconds would cut the last frame short. */
export function timescaleOf({ muxer }: EncodedFormat, { numerator }: FrameRate): Record<string, string> {
  if (muxer !== 'mp4' && muxer !== 'mov') return {}
  return { movie_timescale: String(numerator < 1000 ? numerator * 1000 : numerator) }
}
