/** Videos on their way: cancelled between two frames, drawn again by the next run, passed over by the one after; sent, and verified. */
import { existsSync, readFileSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hashBytes } from '../../src/artifacts/file-state.ts'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import { inspectVideo, readVideo } from '../../src/media/video-reader.ts'
import type { RunEvent } from '../../src/run/events.ts'
import type { RgbImage } from '../../src/tensor/rgb-image.ts'
import { unpackVideos } from '../families/wan-reference.ts'
import { lumaPsnr } from '../media/frames.ts'
import { runCli } from '../support/cli.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, runSheet, unitsOf, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const { modelPath } = unpackVideos()
const { folder } = createScratch()
const S3_OPTIONS = { region: 'us-east-1', forcePathStyle: true, credentials: TEST_CREDENTIALS } as const

async function pngOf(path: string): Promise<RgbImage> {
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  return { rgb: new Uint8Array(data), width: info.width, height: info.height }
}

it('a video of 33 frames is given up between two of them, and made whole by the next run', async () => {
  const out = join(folder, 'out')
  const sheet = await writeSheet(folder, {
    version: 'v',
    models: { wan: modelPath('wan-t2v-tiny') },
    programs: { P1: { previews: { frames: 'all' } } },
    cues: {
      fox: {
        ...{ program: 'P1', prompt: 'a fox', seeds: [1], num_frames: 33, width: 64, height: 64, steps: 2 },
        frames: true,
      },
    },
  })
  const variant = join(out, 'foigoi/v/cues/fox/seed-1')
  let isSent = false
  const stopped = await runSheet(sheet, out, ['--dry-run'], {
    onStdout(text, child) {
      if (isSent || !/"type":"frame"/.test(text)) return
      isSent = true
      child.kill('SIGTERM')
    },
  })
  expect(stopped.status).toBe(143)
  expect(stopped.events.at(-1)).toMatchObject({ type: 'run-finished', done: 0, left: 1, cancelled: true })
  expect(existsSync(join(variant, 'final.mp4'))).toBe(false)
  const drawn = stopped.events.filter(({ type }) => type === 'frame').length
  expect(drawn).toBeGreaterThan(0)
  expect(drawn).toBeLessThan(33)

  const whole = await runSheet(sheet, out, ['--dry-run'])
  expect([whole.status, whole.stderr]).toEqual([0, ''])
  expect((await readdir(variant)).sort()).toEqual([
    '1.png',
    '2.png',
    'final.mp4',
    'final.png',
    'frames',
    'timing.json',
  ])
  expect(await readdir(join(variant, 'frames'))).toHaveLength(33)
  const again = await runSheet(sheet, out, ['--dry-run'])
  expect(again.events.at(-1)).toMatchObject({ done: 0, skipped: 1, failed: 0 })
})

describe('as another kind of file', () => {
  const FORMATS = [
    ['webm', 'final.webm', 'video/webm', 'webm'],
    ['webp', 'final.webp', 'image/webp', 'webp'],
    ['prores', 'final.mov', 'video/quicktime', 'mov'],
  ] as const
  const out = join(folder, 'formats')
  const sheetOf = (formats: Readonly<Record<string, string>>, endpoint: string) =>
    writeSheet(
      folder,
      {
        version: 'v',
        models: { wan: modelPath('wan-t2v-tiny') },
        defaults: { num_frames: 5, width: 64, height: 48, steps: 1, fps: 12, guidance_scale: 1 },
        programs: { P0: {} },
        cues: Object.fromEntries(
          Object.entries(formats).map(([cue, video_format]) => [
            cue,
            { program: 'P0', prompt: 'a fox', seeds: [1], video_format },
          ]),
        ),
        storage: { bucket: 'formats', endpoint },
      },
      'formats.yaml',
    )
  let moto: MotoServer
  beforeAll(async () => {
    moto = await startMoto()
    await moto.createBucket('formats')
  }, 600_000)
  afterAll(() => moto.stop())

  it('a video is written, listed, sent and verified as what the sheet asks for', async () => {
    const sheet = await sheetOf(
      Object.fromEntries(FORMATS.map(([format]) => [format, format])),
      moto.endpoint,
    )
    const run = await runSheet(sheet, out, [], { env: BUCKET_ENV })
    expect([run.status, run.stderr]).toEqual([0, ''])
    const store = new S3Client({ ...S3_OPTIONS, endpoint: moto.endpoint })
    const path = join(out, 'foigoi/v/manifest.json')
    const { assets } = parseManifest(readFileSync(path, 'utf8'), path)
    for (const [cue, name, contentType, format] of FORMATS) {
      const variant = join(out, 'foigoi/v/cues', cue, 'seed-1')
      expect((await readdir(variant)).sort()).toEqual([name, 'final.png'].sort())
      const asset = assets.find((one) => one.cue === cue)
      expect(asset).toMatchObject({
        ...{ type: 'video', url: `cues/${cue}/seed-1/${name}` },
        metadata: { format, num_frames: 5, fps: 12, sha256: hashBytes(readFileSync(join(variant, name))) },
      })
      const Key = `foigoi/v/cues/${cue}/seed-1/${name}`
      const { ContentType } = await store.send(new HeadObjectCommand({ Bucket: 'formats', Key }))
      expect(ContentType).toBe(contentType)
      const facts = await inspectVideo(join(variant, name))
      expect(facts).toMatchObject({ width: 64, height: 48 })
      let count = 0
      let first: RgbImage | null = null
      for await (const frame of readVideo(join(variant, name))) {
        first ??= frame
        count += 1
      }
      expect(count).toBe(5)
      expect(lumaPsnr(first!, await pngOf(join(variant, 'final.png')))).toBeGreaterThan(30)
    }
    store.destroy()
    const verified = await runCli(['verify', out, '--bucket'], { env: BUCKET_ENV })
    expect([verified.code, verified.stdout]).toEqual([0, expect.not.stringContaining('differs')])
  }, 120_000)

  it('is drawn anew when the sheet asks for another, and left alone when it says what is there', async () => {
    const drawn = (events: readonly RunEvent[]) => unitsOf(events, 'unit-finished')
    const sheet = await sheetOf({ webm: 'webm', webp: 'mp4', prores: 'prores' }, moto.endpoint)
    const same = await runSheet(sheet, out, ['--dry-run'])
    expect([same.status, drawn(same.events)]).toEqual([0, ['webp/seed-1']])
    const variant = 'foigoi/v/cues/webp/seed-1'
    expect((await readdir(join(out, variant))).sort()).toEqual(['final.mp4', 'final.png'])

    const sent = await runSheet(sheet, out, [], { env: BUCKET_ENV })
    expect([sent.status, sent.events.at(-1)]).toEqual([0, expect.objectContaining({ done: 0, skipped: 3 })])
    const store = new S3Client({ ...S3_OPTIONS, endpoint: moto.endpoint })
    const { Contents = [] } = await store.send(
      new ListObjectsV2Command({ Bucket: 'formats', Prefix: `${variant}/` }),
    )
    store.destroy()
    // The animation of the first run is gone from there too.
    expect(Contents.map(({ Key }) => Key)).toEqual([`${variant}/final.mp4`, `${variant}/final.png`])
  }, 60_000)

  it('has steps that move beside those that do not, whole or not at all, here and in the bucket', async () => {
    const tree = join(folder, 'moving')
    const sheetWith = (frames: string) =>
      writeSheet(
        folder,
        {
          version: 'v',
          models: { wan: modelPath('wan-t2v-tiny') },
          defaults: { num_frames: 9, width: 64, height: 48, steps: 2, fps: 12, guidance_scale: 1 },
          programs: { P1: { previews: { frames } } },
          cues: { fox: { program: 'P1', prompt: 'a fox', seeds: [1] } },
          storage: { bucket: 'formats', prefix: 'moving', endpoint: moto.endpoint },
        },
        'moving.yaml',
      )
    const variant = join(tree, 'foigoi/v/cues/fox/seed-1')
    const read = (name: string) => readFileSync(join(variant, name))
    const sheet = await sheetWith('animated')
    const run = await runSheet(sheet, tree, [], { env: BUCKET_ENV })
    expect([run.status, run.stderr]).toEqual([0, ''])
    const steps = ['1.png', '1.webp', '2.png', '2.webp']
    expect((await readdir(variant)).sort()).toEqual([...steps, 'final.mp4', 'final.png', 'timing.json'])
    const told = run.events.flatMap((event) => (event.type === 'preview' ? [event] : []))
    expect(told.map(({ animation }) => animation).sort()).toEqual(
      [1, 2].map((step) => join(variant, `${step}.webp`)),
    )
    const { pages, delay } = await sharp(read('2.webp'), { animated: true }).metadata()
    expect([pages, delay]).toEqual([3, [83, 334, 333]])
    const moving = read('2.webp')
    const still = read('2.png')
    const store = new S3Client({ ...S3_OPTIONS, endpoint: moto.endpoint })
    const inBucket = async () => {
      const Prefix = 'moving/foigoi/v/cues/fox/seed-1/'
      const { Contents = [] } = await store.send(new ListObjectsV2Command({ Bucket: 'formats', Prefix }))
      return Contents.map(({ Key }) => Key?.slice(Prefix.length))
    }
    expect(await inBucket()).toEqual([...steps, 'final.mp4', 'final.png', 'timing.json'])
    const Key = 'moving/foigoi/v/cues/fox/seed-1/2.webp'
    const head = await store.send(new HeadObjectCommand({ Bucket: 'formats', Key }))
    expect(head.ContentType).toBe('image/webp')

    // One that is gone is missed, by verify and by the next run, and comes again as it was.
    await rm(join(variant, '2.webp'))
    const verified = await runCli(['verify', tree])
    expect([verified.code, verified.stdout]).toEqual([3, expect.stringContaining('2.webp')])
    await rm(join(tree, '.pregen'), { recursive: true })
    expect((await runCli(['verify', tree])).stdout).toContain('2.webp')
    const mended = await runSheet(sheet, tree, ['--dry-run'])
    expect(mended.events.at(-1)).toMatchObject({ done: 1, skipped: 0 })
    expect(read('2.webp')).toEqual(moving)
    expect((await runCli(['verify', tree])).code).toBe(0)

    // Where they are not wanted any more they go, and what stays is as it was.
    const plain = await runSheet(await sheetWith('middle'), tree, [], { env: BUCKET_ENV })
    expect(plain.events.at(-1)).toMatchObject({ done: 1, skipped: 0, uploadsFailed: 0 })
    expect(read('2.png')).toEqual(still)
    for (const names of [(await readdir(variant)).sort(), await inBucket()]) {
      expect(names).toEqual(['1.png', '2.png', 'final.mp4', 'final.png', 'timing.json'])
    }
    store.destroy()
  }, 120_000)

  it('is refused where there is none of it', async () => {
    const sheet = await sheetOf({ fox: 'avi' }, moto.endpoint)
    const plan = await runCli(['plan', sheet])
    expect([plan.code, plan.stderr]).toEqual([2, expect.stringContaining('E_BAD_VALUE')])
    expect(plan.stderr).toContain('mp4, webm, webp or prores')
  })
})
