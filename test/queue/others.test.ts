/** What one machine cannot draw another one does, and what is cancelled nobody draws. */
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createS3Storage } from '../../src/storage/s3.ts'
import { parseEvents, runCli } from '../support/cli.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { DEFAULTS, unitsOf } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { enqueue, manifestOf, queuedSheet, startWorker, TINY_SD15, writeSheet } from './support.ts'

const scratch = createScratch()
let moto: MotoServer
let redis: RedisServer
let client: Redis

beforeAll(async () => {
  ;[moto, redis] = await Promise.all([startMoto(), startRedis()])
  client = new Redis(redis.url, { maxRetriesPerRequest: null })
}, 600_000)
afterAll(async () => {
  client.disconnect()
  await redis.stop()
  await moto.stop()
})

const PROGRAMS = { P0: {} }

describe('a model that a machine has not', () => {
  it('makes it leave the jobs alone, with all their tries, for one that has it', async () => {
    await moto.createBucket('refused')
    const [with_, without] = [join(scratch.folder, 'with'), join(scratch.folder, 'without')]
    await mkdir(without)
    await cp(TINY_SD15.path, join(with_, 'model'), { recursive: true })
    const cues = { sea: { program: 'P0', prompt: 'sea', seeds: [1, 2] } }
    const show = queuedSheet(moto, 'refused', {
      programs: PROGRAMS,
      cues,
      models: { tiny: { path: 'model' } },
    })
    await enqueue(redis, await writeSheet(with_, show))
    const first = await startWorker(redis, join(scratch.folder, 'a'), ['--drain', '--sheets', without])
    expect([first.code, first.stderr]).toEqual([3, expect.stringContaining('W_MODEL_REFUSED')])
    expect(first.stderr).toContain('0 units drawn, 0 jobs done, 1 given back, 1 model refused')
    const [model] = Object.keys(await client.hgetall('pregen:models'))
    const queue = new Queue(`units-${model}`, { connection: client, prefix: 'pregen' })
    const jobs = await queue.getPrioritized()
    expect(jobs.map(({ attemptsMade, failedReason }) => [attemptsMade, failedReason ?? null])).toEqual([
      [0, null],
      [0, null],
    ])
    await queue.close()
    const second = await startWorker(redis, join(scratch.folder, 'b'), ['--drain', '--sheets', with_])
    expect([second.code, second.stderr]).toEqual([0, expect.stringContaining('2 units drawn')])
    expect(await manifestOf(moto, 'refused')).toHaveLength(2)
  }, 120_000)
})

describe('a sheet that is cancelled while it is drawn', () => {
  it('loses what waits; what is in work is finished and sent, and there is no end of it', async () => {
    await moto.createBucket('cancelled')
    const seeds = Array.from({ length: 20 }, (_, seed) => seed)
    const cues = { sea: { program: 'P0', prompt: 'sea', seeds } }
    const defaults = { ...DEFAULTS, steps: 40 }
    const show = queuedSheet(moto, 'cancelled', { version: 'v2', programs: PROGRAMS, cues, defaults })
    expect((await enqueue(redis, await writeSheet(scratch.folder, show))).counts).toMatchObject({ jobs: 20 })
    let cancelling: ReturnType<typeof runCli> | undefined
    const worked = await startWorker(redis, join(scratch.folder, 'c'), ['--drain', '--format', 'ndjson'], {
      onStdout(text) {
        if (text.includes('"type":"unit-finished"'))
          cancelling ??= runCli(['cancel', 'v2', '--queue', redis.url])
      },
    })
    const cancelled = await cancelling
    expect([cancelled?.code, cancelled?.stderr]).toEqual([
      0,
      expect.stringMatching(/^v2: \d+ jobs? taken out/),
    ])
    expect([worked.code, worked.stderr]).toEqual([0, expect.stringContaining('units drawn')])
    const events = parseEvents(worked.stdout)
    const drawn = unitsOf(events, 'unit-finished')
    expect(drawn.length).toBeLessThan(20)
    expect(unitsOf(events, 'unit-started')).toEqual(drawn)
    expect(unitsOf(events, 'unit-failed')).toEqual([])
    const uploaded = events.flatMap((event) => (event.type === 'object-uploaded' ? [event.key] : []))
    for (const name of drawn) expect(uploaded).toContain(`foigoi/v2/cues/${name}/final.png`)
    // Nothing ended it: no manifest tells of it.
    expect(uploaded.filter((key) => key.endsWith('manifest.json'))).toEqual([])
    const { stdout } = await runCli(['jobs', '--queue', redis.url, '--json'])
    const left = JSON.parse(stdout).filter(({ version }: { version: string }) => version === 'v2')
    for (const sheet of left) expect(sheet).toMatchObject({ state: 'cancelled', waiting: 0, active: [] })
  }, 120_000)
})

describe('films of steps', () => {
  const programs = { P0: { previews: { method: 'latent2rgb' }, film: 'gif' } }

  it('are made by the worker that draws, and stand in the bucket before what would tell that the unit is whole', async () => {
    await moto.createBucket('films')
    const cues = { sea: { program: 'P0', prompt: 'sea', seeds: [1, 2] } }
    const show = queuedSheet(moto, 'films', { version: 'v3', programs, cues })
    const sheet = await writeSheet(scratch.folder, show, 'films.yaml')
    expect((await enqueue(redis, sheet)).stderr).toBe('')
    const worked = await startWorker(redis, join(scratch.folder, 'f'), ['--drain', '--format', 'ndjson'])
    expect([worked.code, worked.stderr]).toEqual([0, expect.stringContaining('2 units drawn')])
    const events = parseEvents(worked.stdout)
    expect(unitsOf(events, 'film-made').sort()).toEqual(['sea/seed-1', 'sea/seed-2'])
    const sent = events.flatMap((event) => (event.type === 'object-uploaded' ? [event.key] : []))
    for (const seed of ['seed-1', 'seed-2']) {
      const film = sent.indexOf(`films/v3/sea/${seed}.gif`)
      expect(film).toBeGreaterThanOrEqual(0)
      expect(sent.findIndex((key) => key.includes(`/cues/sea/${seed}/`))).toBeGreaterThan(film)
    }
    const store = createS3Storage({ bucket: 'films', endpoint: moto.endpoint, credentials: TEST_CREDENTIALS })
    onTestFinished(() => store.close())
    const bytes = await store.get('films/v3/sea/seed-1.gif')
    const film = await sharp(bytes ?? Buffer.alloc(0), { animated: true }).metadata()
    expect([film.format, film.pages]).toEqual(['gif', expect.any(Number)])
    expect(film.pages).toBeGreaterThan(1)
    // What has its film is told of nobody; one that is whole without it is.
    expect((await enqueue(redis, sheet)).stderr).toBe('')
    await store.delete('films/v3/sea/seed-2.gif')
    expect((await enqueue(redis, sheet)).stderr).toMatch(/W_QUEUE_FILM.* 1 of the units .*sea\/seed-2 first/)
  }, 120_000)

  it('that cannot be made cost that film, and the worker tells so', async () => {
    const cues = { sea: { program: 'P0', prompt: 'sea', seeds: [3] } }
    const show = queuedSheet(moto, 'films', { version: 'v4', programs, cues })
    await enqueue(redis, await writeSheet(scratch.folder, show, 'films.yaml'))
    const out = join(scratch.folder, 'g')
    await mkdir(out)
    await writeFile(join(out, 'films'), 'in the way')
    const { code, stderr } = await startWorker(redis, out, ['--drain'])
    expect([code, stderr]).toEqual([3, expect.stringContaining('1 unit drawn, 1 job done, 1 film not made')])
    expect(stderr).toContain('film failed  sea/seed-3')
    expect(stderr).toContain('v4 has ended: 1 unit whole')
  }, 120_000)

  it('that a machine cannot code make it leave the jobs alone, with all their tries', async () => {
    const [sheet, model] = ['5'.repeat(32), 'd'.repeat(32)]
    const cues = { sea: { program: 'P0', prompt: 'sea', seeds: [4] } }
    const hap = { P0: { previews: { method: 'latent2rgb' }, film: 'hap' } }
    const text = JSON.stringify(queuedSheet(moto, 'films', { version: 'v5', programs: hap, cues }))
    const submitted = new Date().toISOString()
    const record = JSON.stringify({ v: 1, name: 'hap.yaml', text, rows: {}, version: 'v5', submitted })
    await client.hset('pregen:models', { [model]: 'tiny' })
    await client.hset(`pregen:sheet:${sheet}`, { record, state: 'queued' })
    await client.zadd('pregen:sheets', Date.now(), sheet)
    const queue = new Queue(`units-${model}`, { connection: client, prefix: 'pregen' })
    await queue.add('units', { v: 1, sheet, units: [[0, 'f'.repeat(64)]] }, { priority: 1, attempts: 3 })
    // No ffmpeg is found there, and no other encoder has this format.
    const { code, stderr } = await startWorker(redis, join(scratch.folder, 'h'), ['--drain'], {
      env: { PATH: '/nonexistent' },
    })
    expect([code, stderr]).toEqual([3, expect.stringContaining('1 given back, 1 model refused')])
    expect(stderr).toContain('W_MODEL_REFUSED')
    expect((await queue.getPrioritized()).map(({ attemptsMade }) => attemptsMade)).toEqual([0])
    await queue.obliterate()
    await queue.close()
  }, 60_000)
})
