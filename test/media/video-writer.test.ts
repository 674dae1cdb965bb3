import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { parseFrameRate, secondsOf } from '../../src/media/frame-rate.ts'
import type { VideoFormat } from '../../src/media/video-formats.ts'
import { mp4Fault } from '../../src/media/video-kind.ts'
import { inspectVideo, readVideo } from '../../src/media/video-reader.ts'
import { createVideoWriter, missingEncoder } from '../../src/media/video-writer.ts'
import type { RgbImage } from '../../src/tensor/rgb-image.ts'
import { packageRoot } from '../support/cli.ts'
import { temporaryFolder } from '../support/temp.ts'
import { gradientFrame, plainFrame, psnr } from './frames.ts'

async function write(format: VideoFormat, fps: number, frames: readonly RgbImage[]): Promise<string> {
  const path = join(
    await temporaryFolder(),
    `a clip.${format === 'prores' || format === 'hap' ? 'mov' : format}`,
  )
  const { width, height } = frames[0]!
  const writer = await createVideoWriter({ path, format, width, height, frameRate: parseFrameRate(fps) })
  for (const frame of frames) await writer.write(frame)
  await writer.end()
  return path
}

async function read(path: string): Promise<RgbImage[]> {
  const frames: RgbImage[] = []
  for await (const frame of readVideo(path)) frames.push(frame)
  return frames
}

const SIZE = { width: 96, height: 64 }
const clip = (count: number, size = SIZE) => Array.from({ length: count }, (_, at) => gradientFrame(size, at))

/** A window that moves over one of the embedded model's pictures. */
async function panned(name: string, frame: number): Promise<RgbImage> {
  const [width, height] = [96, 80]
  const { data } = await sharp(join(packageRoot, 'test/fixtures/backdrop-goldens', name))
    .extract({ left: 2 * frame, top: frame, width, height })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  return { rgb: new Uint8Array(data), width, height }
}

/** What ffprobe, another's eyes, sees in it. */
function probe(path: string): Record<string, unknown> {
  const { stdout, error } = spawnSync(
    'ffprobe',
    ['-v', 'error', '-count_frames', '-show_streams', '-show_format', '-of', 'json', path],
    { encoding: 'utf8' },
  )
  if (error) throw error
  const { streams, format } = JSON.parse(stdout)
  return { ...streams[0], format_duration: format.duration, start: format.start_time }
}

describe('an MP4', () => {
  it.each([8, 16, 24, 25, 29.97, 60])('has its frames, rate, length and colours at %d fps', async (fps) => {
    const frames = clip(17)
    const path = await write('mp4', fps, frames)
    const rate = parseFrameRate(fps)
    expect(await inspectVideo(path)).toEqual({ ...SIZE, frameRate: rate, frames: 17 })
    const seen = probe(path)
    expect(seen).toMatchObject({
      codec_name: 'h264',
      pix_fmt: 'yuv420p',
      ...SIZE,
      color_range: 'tv',
      color_space: 'bt709',
      color_transfer: 'bt709',
      color_primaries: 'bt709',
      r_frame_rate: `${rate.numerator}/${rate.denominator}`,
      avg_frame_rate: `${rate.numerator}/${rate.denominator}`,
      nb_read_frames: '17',
    })
    expect(Number(seen.start)).toBe(0)
    expect(Number(seen.duration)).toBeCloseTo(secondsOf(17, rate), 5)
    expect(Number(seen.format_duration)).toBeCloseTo(secondsOf(17, rate), 5)
    const decoded = await read(path)
    expect(decoded).toHaveLength(17)
    expect(Math.min(...decoded.map((frame, at) => psnr(frame, frames[at]!)))).toBeGreaterThan(38)
  })

  it('of a picture that moves stays within 38 dB of what it was made of, in RGB', async () => {
    const frames = await Promise.all(Array.from({ length: 17 }, (_, at) => panned('03.png', at)))
    const decoded = await read(await write('mp4', 16, frames))
    const distances = decoded.map((frame, at) => psnr(frame, frames[at]!))
    expect(distances).toHaveLength(17)
    expect(Math.min(...distances)).toBeGreaterThan(38)
  })

  it('has its index ahead of its frames, and the same bytes each time', async () => {
    const bytes = await readFile(await write('mp4', 24, clip(5)))
    expect(mp4Fault(bytes)).toBeNull()
    expect(bytes.indexOf('moov')).toBeLessThan(bytes.indexOf('mdat'))
    expect(mp4Fault(bytes.subarray(0, bytes.length - 1))).toBe('is no MP4')
    expect((await readFile(await write('mp4', 24, clip(5)))).equals(bytes)).toBe(true)
  })

  it('keeps colours: flat pictures come back within two levels', async () => {
    const flat = (r: number, g: number, b: number) => {
      const { rgb, ...size } = plainFrame(SIZE, 0)
      for (let at = 0; at < rgb.length; at += 3) rgb.set([r, g, b], at)
      return { rgb, ...size }
    }
    const frames = [flat(255, 0, 0), flat(0, 255, 0), flat(0, 0, 255), flat(255, 255, 255), flat(9, 120, 200)]
    const decoded = await read(await write('mp4', 10, frames))
    for (const [at, frame] of frames.entries()) {
      const distance = frame.rgb.map((value, i) => Math.abs(value - decoded[at]!.rgb[i]!))
      expect(Math.max(...distance)).toBeLessThanOrEqual(2)
    }
  })

  it.each([
    [1, 1],
    [33, 47],
    [64, 31],
  ])('takes any size: %d × %d is padded to even sides', async (width, height) => {
    const frames = clip(3, { width, height })
    const path = await write('mp4', 12, frames)
    const even = { width: width + (width % 2), height: height + (height % 2) }
    expect(await inspectVideo(path)).toMatchObject({ ...even, frames: 3 })
  })

  it('of one frame lasts as long as a frame', async () => {
    const path = await write('mp4', 16, clip(1))
    expect(await inspectVideo(path)).toMatchObject({ frames: 1 })
    expect(Number(probe(path).duration)).toBeCloseTo(1 / 16, 5)
  })
})

describe('other formats', () => {
  it.each(['webm', 'prores'] as const)('%s has its frames, size and rate', async (format) => {
    const frames = clip(9)
    const path = await write(format, 25, frames)
    expect(await inspectVideo(path)).toMatchObject({ ...SIZE, frameRate: { numerator: 25, denominator: 1 } })
    expect(probe(path)).toMatchObject({ nb_read_frames: '9', color_space: 'bt709' })
    const decoded = await read(path)
    expect(decoded).toHaveLength(9)
    expect(Math.min(...decoded.map((frame, at) => psnr(frame, frames[at]!)))).toBeGreaterThan(36)
  })

  it.each(['webp', 'gif'] as const)('%s has its frames', async (format) => {
    const frames = clip(4)
    const decoded = await read(await write(format, 10, frames))
    expect(decoded).toHaveLength(4)
    expect(Math.min(...decoded.map((frame, at) => psnr(frame, frames[at]!)))).toBeGreaterThan(25)
  })

  it('hap is encoded by the ffmpeg on the PATH', async () => {
    expect(await missingEncoder('hap')).toBeNull()
    const path = await write('hap', 30, clip(6))
    expect(probe(path)).toMatchObject({
      codec_name: 'hap',
      ...SIZE,
      nb_read_frames: '6',
      avg_frame_rate: '30/1',
    })
    expect(Math.min(...(await read(path)).map((frame, at) => psnr(frame, clip(6)[at]!)))).toBeGreaterThan(25)
  })
})

describe('a writer', () => {
  it('refuses a frame of another size, and is closed from then on', async () => {
    const path = join(await temporaryFolder(), 'x.mp4')
    const writer = await createVideoWriter({ path, format: 'mp4', ...SIZE, frameRate: parseFrameRate(8) })
    await expect(writer.write(gradientFrame({ width: 64, height: 96 }, 0))).rejects.toThrow(RangeError)
    await expect(writer.write(gradientFrame(SIZE, 0))).rejects.toThrow('is closed')
    await writer.abort()
  })

  it('may be given up at any time, twice', async () => {
    const path = join(await temporaryFolder(), 'x.mp4')
    const writer = await createVideoWriter({ path, format: 'mp4', ...SIZE, frameRate: parseFrameRate(8) })
    await writer.write(gradientFrame(SIZE, 0))
    await writer.abort()
    await writer.abort()
    await expect(writer.write(gradientFrame(SIZE, 0))).rejects.toThrow('is closed')
  })

  it('tells of a file that cannot be made', async () => {
    const path = join(await temporaryFolder(), 'nowhere', 'x.mp4')
    const opening = createVideoWriter({ path, format: 'mp4', ...SIZE, frameRate: parseFrameRate(8) })
    await expect(opening).rejects.toMatchObject({ code: 'E_ENCODER_FAILED' })
    const other = await createVideoWriter({ path, format: 'hap', ...SIZE, frameRate: parseFrameRate(8) })
    await expect(other.write(gradientFrame(SIZE, 0)).then(() => other.end())).rejects.toMatchObject({
      code: 'E_ENCODER_FAILED',
    })
  })

  it('tells of a full disk, whenever the program that encodes notices', async () => {
    const size = { width: 512, height: 512 }
    const options = { path: '/dev/full', format: 'hap', ...size, frameRate: parseFrameRate(8) } as const
    const writer = await createVideoWriter(options)
    const all = async () => {
      for (const frame of clip(40, size)) await writer.write(frame)
      await writer.end()
    }
    await expect(all()).rejects.toMatchObject({ code: 'E_ENCODER_FAILED' })
    await writer.abort()
  })

  it('hands frames over in order, whoever does not wait', async () => {
    const path = join(await temporaryFolder(), 'x.mp4')
    const writer = await createVideoWriter({ path, format: 'mp4', ...SIZE, frameRate: parseFrameRate(8) })
    const levels = [20, 80, 140, 200]
    await Promise.all([...levels.map((level) => writer.write(plainFrame(SIZE, level))), writer.end()])
    const seen = (await read(path)).map(({ rgb }) => rgb[0]!)
    for (const [at, level] of levels.entries()) expect(Math.abs(seen[at]! - level)).toBeLessThanOrEqual(2)
  })
})
