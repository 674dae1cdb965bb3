import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LocalServer, startServer } from '../net/local-server.ts'
import { runCli } from '../support/cli.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { createScratch } from '../support/scratch.ts'
import { enqueue, manifestOf, queuedSheet, startWorker, writeSheet } from './support.ts'

const scratch = createScratch()
let moto: MotoServer
let redis: RedisServer
let client: Redis
let receiver: LocalServer
const calls: { readonly key: unknown; readonly body: unknown }[] = []

beforeAll(async () => {
  ;[moto, redis] = await Promise.all([startMoto(), startRedis()])
  client = new Redis(redis.url, { maxRetriesPerRequest: null })
  receiver = await startServer('http', async (request, response) => {
    calls.push({ key: request.headers['idempotency-key'], body: await json(request) })
    response.end()
  })
}, 600_000)
afterAll(async () => {
  client.disconnect()
  await receiver.close()
  await redis.stop()
  await moto.stop()
})

const SHOW = { programs: { P0: {} }, cues: { sea: { program: 'P0', prompt: 'sea', seeds: [1] } } }

async function listed(): Promise<unknown> {
  const { stdout } = await runCli(['jobs', '--queue', redis.url, '--json'])
  return JSON.parse(stdout)
}

describe('the end of a sheet', () => {
  it('comes once, at whichever moment of it machines die', async () => {
    await moto.createBucket('end')
    const callback = `http://127.0.0.1:${receiver.port}/ended`
    const sheet = await writeSheet(
      scratch.folder,
      queuedSheet(moto, 'end', { ...SHOW, callback }),
      'end.yaml',
    )
    const allowed = ['--allow-private-urls']
    const enqueued = await enqueue(redis, sheet, allowed)
    expect([enqueued.stderr, enqueued.counts]).toMatchObject(['', { jobs: 1 }])
    const args = ['--drain', '--lease', '3', ...allowed]
    const out = join(scratch.folder, 'end')
    const calledAfter: number[] = []
    for (const point of ['before-manifest', 'after-manifest', 'before-called', 'after-callback']) {
      const { signal } = await startWorker(redis, out, args, { env: { PREGEN_FAULTS: `${point}=kill` } })
      expect([point, signal]).toEqual([point, 'SIGKILL'])
      calledAfter.push(calls.length)
      expect(await listed()).toMatchObject([{ state: 'queued' }])
    }
    const last = await startWorker(redis, out, args)
    expect([last.code, last.stderr]).toEqual([0, expect.stringContaining('v1 has ended: 1 unit whole')])
    // The machine that died between the answer and its own memory of it leaves one more call, of the same key.
    expect([...calledAfter, calls.length]).toEqual([0, 0, 1, 2, 2])
    expect(new Set(calls.map(({ key }) => key)).size).toBe(1)
    expect(calls[0]).toMatchObject({ body: { status: 'completed', assets: [{ variant: 'seed-1' }] } })
    expect(await manifestOf(moto, 'end')).toHaveLength(1)
    expect(await listed()).toMatchObject([{ state: 'done', whole: 1, missing: 0, failed: 0 }])
  }, 240_000)
})

describe('what a stranger puts into the queue', () => {
  it('leads a worker nowhere: out of its folders, to no other bucket, and to no sheet that is none', async () => {
    const sheets = {
      ['1'.repeat(32)]: {
        ...SHOW,
        cues: { sea: { program: 'P0', prompt: 'x', seeds: [1], image: '/etc/hostname' } },
      },
      ['2'.repeat(32)]: { ...SHOW, root: '../../elsewhere' },
      ['3'.repeat(32)]: { ...SHOW, models: { tiny: '/etc' } },
      ['4'.repeat(32)]: { ...SHOW },
    }
    const model = 'c'.repeat(32)
    await client.hset('pregen:models', { [model]: 'tiny' })
    const queue = new Queue(`units-${model}`, { connection: client, prefix: 'pregen' })
    for (const [id, show] of Object.entries(sheets)) {
      const text = JSON.stringify(queuedSheet(moto, id[0] === '4' ? 'not-mine' : 'end', show))
      const record = {
        v: 1,
        name: '../x.yaml',
        text,
        rows: {},
        version: 'v1',
        submitted: new Date().toISOString(),
      }
      await client.hset(`pregen:sheet:${id}`, { record: JSON.stringify(record), state: 'queued' })
      await client.zadd('pregen:sheets', Date.now(), id)
      await queue.add('units', { v: 1, sheet: id, units: [[0, 'f'.repeat(64)]] }, { priority: 1 })
    }
    await queue.add('units', { v: 1, sheet: '../../etc', units: [[0, 'f'.repeat(64)]] }, { priority: 1 })
    await queue.add('units', 'nothing', { priority: 1 })
    const out = join(scratch.folder, 'stranger')
    const { code, stderr } = await startWorker(redis, out, ['--drain', '--bucket', 'end'])
    expect(code).toBe(3)
    const reasons = (await queue.getFailed()).map(({ failedReason }) => failedReason.split(':')[0]).sort()
    expect(reasons).toEqual([
      ...['E_BAD_ROOT', 'E_QUEUE_BUCKET', 'E_QUEUE_JOB', 'E_QUEUE_JOB', 'E_QUEUE_PATH', 'E_QUEUE_PATH'],
    ])
    expect(stderr).toContain('0 units drawn')
    expect(existsSync(join(out, 'foigoi'))).toBe(false)
    // Whatever was given up may be tried again, or taken out.
    const retried = await runCli(['retry', '1111', '--queue', redis.url])
    expect([retried.code, retried.stderr]).toEqual([0, '1111: 1 job put in again\n'])
    const cancelled = await runCli(['cancel', '1111', '--queue', redis.url])
    expect([cancelled.code, cancelled.stderr]).toEqual([
      ...[0, '1111: 1 job taken out; what is in work is finished\n'],
    ])
    expect(JSON.stringify(await listed())).not.toContain('1'.repeat(32))
    await queue.close()
  }, 120_000)
})
