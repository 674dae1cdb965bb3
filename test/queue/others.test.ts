/** What one machine cannot draw another one does, and what is cancelled nobody draws. */
import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseEvents, runCli } from '../support/cli.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
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

it('films are none of a worker, and whoever puts in a sheet that asks for them is told', async () => {
  await moto.createBucket('films')
  const cues = { sea: { program: 'P0', prompt: 'sea', seeds: [1] } }
  const programs = { P0: { previews: { method: 'latent2rgb' }, film: 'mp4' } }
  const sheet = await writeSheet(scratch.folder, queuedSheet(moto, 'films', { programs, cues }), 'films.yaml')
  const { code, stderr } = await enqueue(redis, sheet)
  expect([code, stderr]).toEqual([0, expect.stringContaining('W_QUEUE_FILM')])
}, 60_000)
