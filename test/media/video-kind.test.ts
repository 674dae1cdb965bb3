/** Whether a file is the video that its name says: each format as its writer makes it, cut off, and under another's name. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { OUTPUT_KINDS } from '../../src/artifacts/output-kinds.ts'
import { OUTPUT_VIDEO_FORMATS, type OutputVideoFormat } from '../../src/media/video-formats.ts'
import { webmFault } from '../../src/media/video-kind.ts'
import { createVideoWriter } from '../../src/media/video-writer.ts'
import { createScratch } from '../support/scratch.ts'
import { gradientFrame } from './frames.ts'

const SIZE = { width: 32, height: 16 }
const { folder } = createScratch()
const files = new Map<OutputVideoFormat, Buffer>()

beforeAll(async () => {
  for (const format of OUTPUT_VIDEO_FORMATS) {
    const path = join(folder, format)
    const writer = await createVideoWriter({
      ...{ path, format, ...SIZE },
      frameRate: { numerator: 16, denominator: 1 },
    })
    for (const at of [0, 1, 2, 3, 4]) await writer.write(gradientFrame(SIZE, at))
    await writer.end()
    files.set(format, await readFile(path))
  }
})

const faultOf = (format: OutputVideoFormat, bytes: Buffer) =>
  OUTPUT_KINDS.find(({ encoder }) => encoder === format)!.fault(bytes)

describe.each(OUTPUT_VIDEO_FORMATS)('%s', (format) => {
  it('is what its writer makes, and nothing that is cut off, longer, or empty', () => {
    const bytes = files.get(format)!
    expect(faultOf(format, bytes)).toBeNull()
    for (const length of [0, 3, 11, 40, bytes.length - 1]) {
      expect(faultOf(format, bytes.subarray(0, length)), `${length} bytes`).toMatch(/^is no /)
    }
    expect(faultOf(format, Buffer.concat([bytes, Buffer.alloc(9)]))).toMatch(/^is no /)
  })

  it('is none of the other formats', () => {
    for (const other of OUTPUT_VIDEO_FORMATS) {
      // Both are of boxes: a QuickTime file says by its brand that it is one, and an MP4 may have any.
      if (other === format || (format === 'mp4' && other === 'prores')) continue
      expect(faultOf(format, files.get(other)!), other).toMatch(/^is no /)
    }
  })
})

it('a WebM says what it is, and how long', () => {
  const bytes = files.get('webm')!
  expect(webmFault(Buffer.from(bytes.toString('latin1').replace('webm', 'wxbm'), 'latin1'))).toBe(
    'is no WebM',
  )
  // A segment of unknown length, as live streams have it: eight bytes of ones.
  const live = Buffer.from(bytes)
  const at = live.indexOf(Buffer.from([0x18, 0x53, 0x80, 0x67])) + 4
  live.fill(0xff, at + 1, at + 8)
  live[at] = 0x01
  expect(webmFault(live)).toBe('is no WebM with pictures')
})
