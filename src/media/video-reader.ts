/** Frames of a video file, in the order in which they are shown, as 8-bit RGB. */
import { open } from 'node:fs/promises'
import type { CodecContext, FormatContext, Frame, Stream } from 'node-av/lib'
import { messageOf, PregenError } from '../errors.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { type AvBinding, hasBinding, loadAv } from './av-binding.ts'
import { type Converter, createConverter, SCALE_FLAGS } from './av-converter.ts'
import type { FrameRate } from './frame-rate.ts'
import { type Container, containerOf, KIND_BYTES } from './video-kind.ts'

export interface VideoFileFacts {
  /** As shown: turned where the file says so. */
  readonly width: number
  readonly height: number
  readonly frameRate: FrameRate
  /** As the file says; null where it does not. */
  readonly frames: number | null
}

export interface ReadVideoOptions {
  /** No more frames than these; all of them without. */
  readonly maxFrames?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** 4096 × 4096, as pictures have it. */
const MAX_PIXELS = 4096 * 4096

/** @throws PregenError `E_VIDEO_FORMAT`, `E_VIDEO_BROKEN`, `E_VIDEO_TOO_LARGE`, `E_NO_ENCODER` */
export async function inspectVideo(path: string): Promise<VideoFileFacts> {
  const video = await openVideo(path)
  try {
    return video.facts
  } finally {
    await video.close()
  }
}

/**
 * Each frame of the file once, whatever its moment.
 * @throws PregenError as `inspectVideo`
 */
export async function* readVideo(
  path: string,
  { maxFrames = Number.POSITIVE_INFINITY, signal }: ReadVideoOptions = {},
): AsyncGenerator<RgbImage> {
  const video = await openVideo(path)
  let count = 0
  try {
    for await (const frame of decode(video)) {
      signal?.throwIfAborted()
      if (count >= maxFrames) return
      count += 1
      yield await video.toRgb(frame)
    }
    if (count === 0) throw broken(path, 'it holds no frame')
  } catch (error) {
    if (error instanceof PregenError || signal?.aborted) throw error
    throw broken(path, messageOf(error))
  } finally {
    await video.close()
  }
}

interface OpenVideo {
  readonly binding: AvBinding
  readonly input: FormatContext
  readonly stream: Stream
  readonly decoder: CodecContext
  readonly facts: VideoFileFacts
  readonly toRgb: (frame: Frame) => Promise<RgbImage>
  readonly close: () => Promise<void>
}

async function openVideo(path: string): Promise<OpenVideo> {
  const container = await sniff(path)
  const binding = await loadAv()
  if (!hasBinding(binding)) {
    throw new PregenError('E_NO_ENCODER', `Nothing here reads videos (node-av: ${binding.reason}).`, {
      help: 'Install pregen with its optional packages (npm ci --include=optional), or give a folder of numbered pictures.',
    })
  }
  const { av } = binding
  const input = new av.FormatContext()
  const decoder = new av.CodecContext()
  const close = async () => {
    await input.closeInput()
    decoder.freeContext()
  }
  try {
    const stream = await openStream(binding, input, path, container)
    const codec = av.Codec.findDecoder(stream.codecpar.codecId)
    if (!codec) throw new Error('its codec is not known here')
    decoder.allocContext3(codec)
    av.FFmpegError.throwIfError(decoder.parametersToContext(stream.codecpar), 'codec')
    av.FFmpegError.throwIfError(await decoder.open2(codec, null), 'codec')
    const quarterTurns = turnsOf(binding, stream)
    const toRgb = converterTo(binding, stream, quarterTurns)
    return {
      binding,
      input,
      stream,
      decoder,
      facts: factsOf(path, stream, quarterTurns),
      toRgb: toRgb.convert,
      async close() {
        toRgb.free()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error instanceof PregenError ? error : broken(path, messageOf(error))
  }
}

async function sniff(path: string): Promise<Container> {
  const handle = await open(path)
  try {
    const head = Buffer.alloc(KIND_BYTES)
    const { bytesRead } = await handle.read(head, 0, KIND_BYTES, 0)
    const container = containerOf(head.subarray(0, bytesRead))
    if (container !== null) return container
    throw new PregenError('E_VIDEO_FORMAT', `"${path}" is no video that is read here.`, {
      help: 'Give an MP4, MOV, WebM, MKV, GIF or animated WebP, or a folder of numbered pictures.',
    })
  } finally {
    await handle.close()
  }
}

/** What the bytes are is what reads them, and they may lead to no other file. */
async function openStream(
  { av, constants }: AvBinding,
  input: FormatContext,
  path: string,
  container: Container,
): Promise<Stream> {
  const format = av.InputFormat.findInputFormat(container === 'webp' ? 'webp_anim' : container)
  if (!format) throw new Error(`files of this kind (${container}) are not read`)
  const options = av.Dictionary.fromObject({ protocol_whitelist: 'file' })
  av.FFmpegError.throwIfError(await input.openInput(`file:${path}`, format, options), 'open')
  av.FFmpegError.throwIfError(await input.findStreamInfo(), 'streams')
  const stream = input.streams[input.findBestStream(constants.AVMEDIA_TYPE_VIDEO)]
  if (!stream) throw new Error('it holds no pictures')
  return stream
}

function factsOf(path: string, stream: Stream, quarterTurns: number): VideoFileFacts {
  const { width, height } = stream.codecpar
  if (width * height > MAX_PIXELS || width < 1 || height < 1) {
    throw new PregenError('E_VIDEO_TOO_LARGE', `"${path}" is ${width} × ${height}.`, {
      help: 'Scale it down to about the size of the video that is to be made.',
    })
  }
  const { num, den } = stream.avgFrameRate
  const known = num > 0 && den > 0 ? stream.avgFrameRate : stream.rFrameRate
  const isUpright = quarterTurns % 2 === 0
  return {
    width: isUpright ? width : height,
    height: isUpright ? height : width,
    frameRate: { numerator: Math.max(1, known.num), denominator: Math.max(1, known.den) },
    frames: stream.nbFrames > 0n ? Number(stream.nbFrames) : null,
  }
}

async function* decode({ binding, input, stream, decoder }: OpenVideo): AsyncGenerator<Frame> {
  const { av, constants } = binding
  const packet = new av.Packet()
  packet.alloc()
  const frame = new av.Frame()
  frame.alloc()
  try {
    for (let isAtEnd = false; !isAtEnd; ) {
      const read = await input.readFrame(packet)
      isAtEnd = read === constants.AVERROR_EOF
      if (!isAtEnd) av.FFmpegError.throwIfError(read, 'read')
      if (!isAtEnd && packet.streamIndex !== stream.index) {
        packet.unref()
        continue
      }
      av.FFmpegError.throwIfError(await decoder.sendPacket(isAtEnd ? null : packet), 'decode')
      packet.unref()
      for (;;) {
        const received = await decoder.receiveFrame(frame)
        if (received === constants.AVERROR_EAGAIN || received === constants.AVERROR_EOF) break
        av.FFmpegError.throwIfError(received, 'decode')
        yield frame
        frame.unref()
      }
    }
  } finally {
    packet.free()
    frame.free()
  }
}

/** Made of the first frame, which says what it is, and anew where frames change. */
function converterTo(
  binding: AvBinding,
  stream: Stream,
  quarterTurns: number,
): { convert: (frame: Frame) => Promise<RgbImage>; free: () => void } {
  const { av } = binding
  let made: { key: string; converter: Converter } | null = null
  const target = new av.Frame()
  target.alloc()
  const converterOf = async (frame: Frame): Promise<Converter> => {
    const key = `${frame.width} ${frame.height} ${frame.format} ${frame.colorSpace} ${frame.colorRange}`
    if (made?.key === key) return made.converter
    made?.converter.free()
    const converter = await createConverter(binding, {
      width: frame.width,
      height: frame.height,
      pixelFormat: frame.format,
      timeBase: stream.timeBase,
      colorSpace: String(frame.colorSpace),
      range: String(frame.colorRange),
      filters: [
        ['scale', `${matrixOf(binding, frame)}out_range=pc:flags=${SCALE_FLAGS}`],
        ...TURNS[quarterTurns]!.map((filter) => filter),
        ['format', 'pix_fmts=rgb24'],
      ],
    })
    made = { key, converter }
    return converter
  }
  return {
    async convert(frame) {
      const converter = await converterOf(frame)
      target.unref()
      await converter.convert(frame, target)
      const { width, height } = target
      return { rgb: new Uint8Array(target.toBuffer()), width, height }
    },
    free() {
      made?.converter.free()
      target.free()
    },
  }
}

/** Videos without a word of their colours are taken for what their size lets one expect, as players do. */
function matrixOf({ constants }: AvBinding, frame: Frame): string {
  if (frame.colorSpace !== constants.AVCOL_SPC_UNSPECIFIED) return ''
  return `in_color_matrix=${frame.height >= 720 ? 'bt709' : 'bt601'}:`
}

type Filters = readonly (readonly [name: string, args: string])[]
/** By quarter turns clockwise. */
const TURNS: readonly Filters[] = [
  [],
  [['transpose', 'dir=clock']],
  [
    ['hflip', ''],
    ['vflip', ''],
  ],
  [['transpose', 'dir=cclock']],
]

/** The display matrix of a file: two of its numbers tell the turn (ISO/IEC 14496-12, §8.3.2.2). */
function turnsOf({ constants }: AvBinding, stream: Stream): number {
  const matrix = stream.codecpar.getCodedSideData(constants.AV_PKT_DATA_DISPLAYMATRIX)
  if (!matrix || matrix.length < 36) return 0
  const [a, b] = [matrix.readInt32LE(0), matrix.readInt32LE(4)]
  const degrees = (Math.atan2(b, a) * 180) / Math.PI
  return ((Math.round(degrees / 90) % 4) + 4) % 4
}

function broken(path: string, why: string): PregenError {
  return new PregenError('E_VIDEO_BROKEN', `"${path}" cannot be decoded: ${why}.`, {
    help: 'The file may be cut off or damaged: open it in a player, and copy or save it again.',
  })
}
