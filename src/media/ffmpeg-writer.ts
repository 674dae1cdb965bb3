/** Encodes with the `ffmpeg` that is on the PATH: frames go in through a pipe. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { errorCode, messageOf } from '../errors.ts'
import { SCALE_FLAGS } from './av-converter.ts'
import { timescaleOf } from './av-writer.ts'
import { assertSize, type EncodeSpec, encoderFailed, type VideoWriter } from './encode-spec.ts'
import { FFMPEG, PROGRAM_FOLDER } from './ffmpeg-program.ts'
import { rateText } from './frame-rate.ts'
import { paddedSide, padPicture } from './pad-picture.ts'
import type { EncodedFormat } from './video-formats.ts'

const MAX_MESSAGE_CHARS = 4000

/** Starts the program; what goes wrong with it is told by `write` and `end`. */
export function createFfmpegWriter(format: EncodedFormat, spec: EncodeSpec): VideoWriter {
  const child = spawn(FFMPEG, argumentsOf(format, spec), {
    cwd: PROGRAM_FOLDER,
    stdio: ['pipe', 'ignore', 'pipe'],
    windowsHide: true,
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    said = (said + piece).slice(-MAX_MESSAGE_CHARS)
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code))
  })
  // Whoever writes is told by the next call.
  ended.catch(() => undefined)
  child.stdin.on('error', () => undefined)

  const fail = async (cause?: unknown): Promise<never> => {
    const code = await ended
    const line = said.trim().split('\n').at(-1) ?? ''
    throw encoderFailed(FFMPEG, line === '' ? `it ended with ${code}` : line, cause)
  }

  return {
    async write(picture) {
      assertSize(picture, spec)
      const { rgb } = padPicture(picture, format.sideMultiple)
      try {
        if (!child.stdin.writable) await fail()
        if (!child.stdin.write(rgb))
          await Promise.race([once(child.stdin, 'drain'), ended.then(() => fail())])
      } catch (error) {
        // A pipe that it has closed tells of its end before that itself is told.
        if (child.exitCode === null && errorCode(error) !== 'EPIPE') throw error
        await fail(error)
      }
    },
    async end() {
      child.stdin.end()
      try {
        await finished(child.stdin)
      } catch (error) {
        await fail(messageOf(error))
      }
      if ((await ended) !== 0) await fail()
    },
    async abort() {
      if (child.exitCode === null && child.pid !== undefined) child.kill('SIGKILL')
      await ended.catch(() => undefined)
    },
  }
}

function argumentsOf(format: EncodedFormat, { path, width, height, frameRate }: EncodeSpec): string[] {
  const size = `${paddedSide(width, format.sideMultiple)}x${paddedSide(height, format.sideMultiple)}`
  const colour = format.pixelFormat === 'rgba' ? '' : 'out_color_matrix=bt709:out_range=tv:'
  const pairs = (options: Readonly<Record<string, string>>) =>
    Object.entries(options).flatMap(([name, value]) => [`-${name}`, value])
  const tags = [
    '-color_primaries',
    'bt709',
    '-color_trc',
    'bt709',
    '-colorspace',
    'bt709',
    '-color_range',
    'tv',
  ]
  return [
    ...['-hide_banner', '-loglevel', 'error', '-nostdin', '-y'],
    ...['-f', 'rawvideo', '-pixel_format', 'rgb24', '-video_size', size],
    ...['-framerate', rateText(frameRate), '-i', 'pipe:0'],
    ...['-vf', `scale=${colour}flags=${SCALE_FLAGS},format=${format.pixelFormat}`],
    ...['-c:v', format.encoder, ...pairs(format.encoderOptions)],
    ...(format.isIntra
      ? []
      : ['-g', String(Math.max(1, Math.round(frameRate.numerator / frameRate.denominator)))]),
    ...(format.isIntra ? [] : ['-bf', '0']),
    ...(format.pixelFormat === 'rgba' ? [] : tags),
    ...['-fflags', '+bitexact', ...pairs(format.muxerOptions), ...pairs(timescaleOf(format, frameRate))],
    ...['-f', format.muxer, `file:${path}`],
  ]
}
