import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { pictureHashes, runWhole } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { enqueue, manifestOf, queuedSheet, startWorker, writeSheet } from './support.ts'

const scratch = createScratch()
let moto: MotoServer
let redis: RedisServer

beforeAll(async () => {
  ;[moto, redis] = await Promise.all([startMoto(), startRedis()])
}, 600_000)
afterAll(async () => {
  await redis.stop()
  await moto.stop()
})

const SHOW = {
  programs: { P0: {}, P1: { previews: { method: 'latent2rgb' } } },
  cues: {
    dawn: { program: 'P1', prompt: 'dawn', seeds: [1, 2] },
    sea: { program: 'P0', prompt: 'sea', variants: { a: { seed: 3 }, b: { seed: 4, prompt: 'calm sea' } } },
  },
}

describe('a queue', () => {
  it('is filled with what the bucket lacks, drawn by a worker as a run draws it, and ended once', async () => {
    await moto.createBucket('one')
    const sheet = await writeSheet(scratch.folder, queuedSheet(moto, 'one', SHOW))
    const first = await enqueue(redis, sheet)
    expect([first.stderr, first.counts]).toMatchObject(['', { units: 4, whole: 0, jobs: 4, known: 0 }])
    // Enqueuing twice is harmless.
    expect((await enqueue(redis, sheet)).counts).toMatchObject({ units: 4, whole: 0, jobs: 0, known: 4 })
    const worked = await startWorker(redis, join(scratch.folder, 'one'), ['--drain'])
    expect([worked.stderr, worked.code]).toEqual([expect.stringContaining('4 units drawn'), 0])
    expect(worked.stderr).toContain('v1 has ended: 4 units whole')
    const lines = await manifestOf(moto, 'one')
    expect(lines.map(({ cue, variant }) => `${cue}/${variant}`)).toEqual([
      ...['dawn/seed-1', 'dawn/seed-2', 'sea/a', 'sea/b'],
    ])
    const alone = join(scratch.folder, 'alone')
    await runWhole(sheet, alone, ['--dry-run'])
    expect(await pictureHashes(join(scratch.folder, 'one'))).toEqual(await pictureHashes(alone))
    // What stands whole in the bucket is asked for once, by a listing, and not put in.
    expect((await enqueue(redis, sheet)).counts).toMatchObject({ units: 4, whole: 4, jobs: 0, known: 0 })
    // Whole or not, what is asked for again is drawn again.
    const again = await enqueue(redis, sheet, ['--force', '--cue', 'sea'])
    expect(again.counts).toMatchObject({ units: 2, jobs: 2, known: 0 })
    const redrawn = await startWorker(redis, join(scratch.folder, 'one'), ['--drain'])
    expect([redrawn.stderr, redrawn.code]).toEqual([expect.stringContaining('2 units drawn'), 0])
    expect(await manifestOf(moto, 'one')).toHaveLength(4)
  }, 240_000)
})
