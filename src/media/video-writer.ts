/** The one way to a video file: chooses who encodes a format here, and hands frames to it one after the other. */
import { errorCode, messageOf, PregenError } from '../errors.ts'
import type { RgbImage } from '../tensor/rgb-image.ts'
import { createAnimationWriter } from './animation.ts'
import { hasBinding, loadAv } from './av-binding.ts'
import { createAvWriter } from './av-writer.ts'
import { type EncodeSpec, encoderFailed, type VideoWriter } from './encode-spec.ts'
import { ffmpegEncoders } from './ffmpeg-program.ts'
import { createFfmpegWriter } from './ffmpeg-writer.ts'
import { ENCODED_FORMATS, type EncodedFormat, isAnimated, type VideoFormat } from './video-formats.ts'

export type { VideoWriter } from './encode-spec.ts'

export interface VideoWriterOptions extends EncodeSpec {
  readonly format: VideoFormat
}

/**
 * Opens a video file for writing.
 * @throws PregenError `E_NO_ENCODER`, `E_ENCODER_FAILED`
 */
export async function createVideoWriter(options: VideoWriterOptions): Promise<VideoWriter> {
  options.signal?.throwIfAborted()
  return guarded(await open(options), options)
}

async function open({ format, ...spec }: VideoWriterOptions): Promise<VideoWriter> {
  if (isAnimated(format)) return createAnimationWriter(format, spec)
  const row = ENCODED_FORMATS[format]
  const binding = await loadAv()
  if (hasBinding(binding) && binding.av.Codec.findEncoderByName(nameOf(row)) !== null) {
    return createAvWriter(binding, row, spec).catch((error: unknown) => {
      throw encoderFailed(row.encoder, messageOf(error), error)
    })
  }
  const missing = await missingEncoder(format)
  if (missing) throw missing
  return createFfmpegWriter(row, spec)
}

type CodecName = Parameters<typeof import('node-av/lib')['Codec']['findEncoderByName']>[0]

/** The binding's list of names is that of one build; which are there is asked. */
function nameOf({ encoder }: EncodedFormat): CodecName {
  return encoder as CodecName
}

/** For the plan: why a format cannot be written here, or null. */
export async function missingEncoder(format: VideoFormat): Promise<PregenError | null> {
  if (isAnimated(format)) return null
  const row = ENCODED_FORMATS[format]
  const binding = await loadAv()
  if (hasBinding(binding) && binding.av.Codec.findEncoderByName(nameOf(row)) !== null) return null
  if ((await ffmpegEncoders()).has(row.encoder)) return null
  const why = hasBinding(binding) ? '' : ` (node-av: ${binding.reason})`
  return new PregenError('E_NO_ENCODER', `Nothing here encodes ${format}: ${row.encoder} is missing${why}.`, {
    help: hasBinding(binding)
      ? `Put an ffmpeg with ${row.encoder} on the PATH, or take another format.`
      : `Install pregen with its optional packages (npm ci --include=optional), or put an ffmpeg with ${row.encoder} on the PATH.`,
  })
}

/** One call after the other, none after a failure, and every failure as a fault. */
function guarded(writer: VideoWriter, { format, path, signal }: VideoWriterOptions): VideoWriter {
  let tail: Promise<void> = Promise.resolve()
  let isOver = false
  const next = (work: () => Promise<void>): Promise<void> => {
    const done = tail.then(async () => {
      signal?.throwIfAborted()
      if (isOver) throw new Error(`the video ${path} is closed`)
      try {
        await work()
      } catch (error) {
        isOver = true
        await writer.abort()
        throw faultOf(error, format)
      }
    })
    // Told to whoever waits for it; the next call is refused by itself.
    tail = done.catch(() => undefined)
    return done
  }
  return {
    write: (frame: RgbImage) => next(() => writer.write(frame)),
    end: () =>
      next(async () => {
        await writer.end()
        isOver = true
      }),
    async abort() {
      await tail
      isOver = true
      await writer.abort()
    },
  }
}

function faultOf(error: unknown, format: VideoFormat): unknown {
  const isOurs = error instanceof PregenError || error instanceof RangeError
  // What the file system says is told with the file's name by whoever gave it.
  return isOurs || errorCode(error) !== undefined ? error : encoderFailed(format, messageOf(error), error)
}
