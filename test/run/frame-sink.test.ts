/** Frames of a video on their way: in order, one at a time, all or nothing. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { outputKindOf } from '../../src/artifacts/file-names.ts'
import { createVariantWriter } from '../../src/artifacts/variant-writer.ts'
import type { VideoWriter } from '../../src/media/video-writer.ts'
import { createFrameSink, type FrameSinkOptions } from '../../src/run/frame-sink.ts'
import type { RgbImage } from '../../src/tensor/rgb-image.ts'
import { temporaryFolder } from '../support/temp.ts'

const picture = (level: number): RgbImage => ({ width: 2, height: 1, rgb: new Uint8Array(6).fill(level) })

interface Played {
  readonly log: string[]
  readonly openVideo: FrameSinkOptions['openVideo']
}

/** An encoder that writes the levels of its frames. @param failAt the frame that it cannot take, from 0 */
function playEncoder(failAt = -1): Played {
  const log: string[] = []
  const openVideo: Played['openVideo'] = async ({ path, frameRate }) => {
    log.push(`open ${frameRate.numerator}/${frameRate.denominator}`)
    const levels: number[] = []
    const writer: VideoWriter = {
      async write({ rgb }) {
        log.push(`write ${rgb[0]}`)
        await new Promise((resolve) => setImmediate(resolve))
        if (levels.length === failAt) throw new Error('the encoder is full')
        levels.push(rgb[0]!)
        log.push(`taken ${rgb[0]}`)
      },
      end: () => writeFile(path, levels.join(' ')),
      abort: async () => void log.push('abort'),
    }
    return writer
  }
  return { log, openVideo }
}

async function openSink(played: Played, keepsFrames = false) {
  const out = await temporaryFolder()
  const folder = join(out, 'v')
  const output = outputKindOf('video')
  const opened = createVariantWriter({ out, folder, output })
  const writer = () => opened
  const sink = createFrameSink({
    writer,
    openVideo: played.openVideo,
    format: 'mp4',
    fps: 29.97,
    keepsFrames,
  })
  return { sink, folder, writer }
}

describe('a sink of frames', () => {
  it('hands frames on in order, and waits for the encoder', async () => {
    const played = playEncoder()
    const { sink, folder, writer } = await openSink(played, true)
    await Promise.all([1, 2, 3].map((frame) => sink.write(frame, picture(frame))))
    await sink.end()
    const frames = [1, 2, 3].flatMap((level) => [`write ${level}`, `taken ${level}`])
    expect(played.log).toEqual(['open 30000/1001', ...frames])
    expect(await readFile(join(folder, 'final.mp4'), 'utf8')).toBe('1 2 3')
    await (await writer()).writePoster(Buffer.from('poster'))
    const files = await (await writer()).finish(null)
    expect(files.map(({ name }) => name)).toEqual([
      ...['frames/0001.png', 'frames/0002.png', 'frames/0003.png', 'final.png', 'final.mp4'],
    ])
  })

  it('tells at the end what went wrong on the way, and leaves nothing that looks whole', async () => {
    const played = playEncoder(1)
    const { sink, folder } = await openSink(played)
    for (const frame of [1, 2, 3]) await sink.write(frame, picture(frame))
    await expect(sink.end()).rejects.toThrow('the encoder is full')
    expect(played.log).not.toContain('write 3')
    expect(played.log.at(-1)).toBe('abort')
    expect(await readdir(folder)).toEqual([])
  })

  it('begins anew after it was given up', async () => {
    const played = playEncoder()
    const { sink, folder } = await openSink(played)
    await sink.write(1, picture(7))
    await sink.abandon()
    for (const frame of [1, 2]) await sink.write(frame, picture(frame))
    await sink.end()
    expect(await readFile(join(folder, 'final.mp4'), 'utf8')).toBe('1 2')
    expect(await readdir(folder)).toEqual(['final.mp4'])
  })

  it('cannot end a video without frames', async () => {
    const { sink } = await openSink(playEncoder())
    await expect(sink.end()).rejects.toThrow('no frames')
  })
})
