/** Frames of videos, which lie in a folder of their own within the variant's: named, listed, checked, cleared, sent. */
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  compareVariantFiles,
  frameName,
  frameOfName,
  isVariantFileName,
  outputKindOf,
  outputKindOfFiles,
} from '../../src/artifacts/file-names.ts'
import { listVariantFiles } from '../../src/artifacts/file-state.ts'
import { splitKey } from '../../src/artifacts/layout.ts'
import { openLedger } from '../../src/artifacts/ledger.ts'
import { createManifest, encodeManifest } from '../../src/artifacts/manifest.ts'
import { encodePng } from '../../src/artifacts/png.ts'
import { createVariantWriter } from '../../src/artifacts/variant-writer.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { uploadTree } from '../../src/storage/upload-tree.ts'
import { verifyTree } from '../../src/storage/verify-tree.ts'
import { createDrawing, pictureOf } from '../run/drawing.ts'
import { temporaryFolder } from '../support/temp.ts'

const KEY = 'foigoi/v1/cues/dawn/wide'

describe('a frame’s name', () => {
  it('has four digits and lies in a folder', () => {
    expect([frameName(1), frameName(4093)]).toEqual(['frames/0001.png', 'frames/4093.png'])
    expect(['frames/0007.png', 'frames/0000.png', 'frames/7.png', '0007.png'].map(frameOfName)).toEqual([
      ...[7, null, null, null],
    ])
    expect(() => frameName(0)).toThrow(RangeError)
    expect(
      ['frames/0001.png', 'frames/x.png', 'frames/../final.png', 'other/0001.png'].map(isVariantFileName),
    ).toEqual([...[true, false, false, false]])
  })

  it('comes after the steps and before the final files', () => {
    const names = [
      'final.mp4',
      'frames/0002.png',
      'timing.json',
      'final.png',
      '10.png',
      'frames/0001.png',
      '2.png',
    ]
    expect(names.sort(compareVariantFiles)).toEqual([
      ...['2.png', '10.png', 'frames/0001.png', 'frames/0002.png', 'final.png', 'final.mp4', 'timing.json'],
    ])
  })

  it.each([
    [`${KEY}/frames/0001.png`, KEY, 'frames/0001.png'],
    [`${KEY}/3.png`, KEY, '3.png'],
    ['foigoi/v1/cues/dawn/frames/3.png', 'foigoi/v1/cues/dawn/frames', '3.png'],
    ['foigoi/v1/manifest.json', 'foigoi/v1', 'manifest.json'],
  ])('%s is split where its variant ends', (key, folder, name) => {
    expect(splitKey(key)).toEqual({ folder, name })
  })

  it('a video is told from its poster', () => {
    expect(outputKindOfFiles(['final.png'])?.type).toBe('image')
    expect(outputKindOfFiles(['final.mp4', 'final.png'])?.type).toBe('video')
  })
})

const FRAME = { width: 8, height: 8, rgb: new Uint8Array(8 * 8 * 3).fill(99) }

/** A video of two frames, as a run leaves it, all but device and encoder real. */
async function drawVideo() {
  const drawing = await createDrawing({
    units: [{ variant: 'wide', output: 'video', numFrames: 2, fps: 16, frames: true }],
    openVideo: async ({ path }) => ({
      write: async () => undefined,
      // A box of each kind that an MP4 needs, empty.
      end: () =>
        writeFile(path, ['ftyp', 'moov', 'mdat'].map((box) => `\0\0\0\x08${box}`).join(''), 'latin1'),
      abort: async () => undefined,
    }),
    async generate(jobs, _, notify) {
      for (const { unit } of jobs) {
        await notify({ type: 'started', unit })
        for (const frame of [1, 2]) await notify({ type: 'frame', unit, frame, frames: 2, image: FRAME })
      }
      return jobs.map(pictureOf)
    },
  })
  await drawing.draw()
  expect(drawing.counts()).toEqual({ done: 1, failed: 0 })
  const { layout, ledger } = drawing
  const asset = ledger.units.get(KEY)?.asset
  if (!asset) throw new Error('nothing was recorded')
  await writeFile(layout.manifestPath, encodeManifest(createManifest('v1', [asset])))
  return { ledger, asset, out: layout.out, folder: layout.variantFolder('dawn', 'wide') }
}

describe('a video', () => {
  it('is recorded with its frames, and told of as a video', async () => {
    const { ledger, asset } = await drawVideo()
    expect(ledger.units.get(KEY)?.files.map(({ name }) => name)).toEqual([
      ...['frames/0001.png', 'frames/0002.png', 'final.png', 'final.mp4'],
    ])
    expect(asset).toMatchObject({
      ...{ type: 'video', url: 'cues/dawn/wide/final.mp4' },
      metadata: { fps: 16, num_frames: 2, duration_seconds: 0.125, reference_mode: 'none' },
    })
  })

  it.each([true, false])('is sent whole, and verified; with the ledger: %s', async (isKnown) => {
    const { out, folder, ...own } = await drawVideo()
    const ledger = isKnown ? own.ledger : await openLedger(join(await temporaryFolder(), 'ledger.ndjson'))
    const storage = createMemoryStorage()
    const { failures, problems } = await uploadTree({ out, storage, ledger, emit: () => undefined })
    expect([failures, problems]).toEqual([[], []])
    expect([...storage.objects.keys()].filter((key) => key.startsWith(KEY)).sort()).toEqual([
      ...[`${KEY}/final.mp4`, `${KEY}/final.png`, `${KEY}/frames/0001.png`, `${KEY}/frames/0002.png`],
    ])
    expect(storage.objects.get(`${KEY}/final.mp4`)?.contentType).toBe('video/mp4')
    expect(storage.objects.get(`${KEY}/frames/0002.png`)?.contentType).toBe('image/png')
    expect(await verifyTree({ out, ledger, storage })).toMatchObject({ files: 4, problems: [] })
    if (!isKnown) return ledger.close()
    await rm(join(folder, 'frames/0002.png'))
    const { problems: found } = await verifyTree({ out, ledger, storage })
    expect(found.map(({ where, key, code }) => `${where} ${key.slice(KEY.length)} ${code}`)).toContain(
      'disk /frames/0002.png missing',
    )
  })

  it('gives way with all its frames when it is drawn anew', async () => {
    const { out, folder } = await drawVideo()
    await createVariantWriter({ out, folder, output: outputKindOf('video') })
    expect(await readdir(folder)).toEqual(['final.mp4'])
  })

  it('has no frames behind a link', async () => {
    const out = await temporaryFolder()
    const [folder, elsewhere] = [join(out, 'v'), await temporaryFolder()]
    await mkdir(folder)
    await writeFile(join(elsewhere, '0001.png'), await encodePng(FRAME.rgb, 8, 8))
    await symlink(elsewhere, join(folder, 'frames'))
    expect(await listVariantFiles(folder)).toEqual([])
    const writer = await createVariantWriter({ out, folder, output: outputKindOf('video') })
    await expect(writer.writeFrame(1, new Uint8Array(1))).rejects.toThrow(/link/)
    expect(await readdir(elsewhere)).toEqual(['0001.png'])
  })
})
