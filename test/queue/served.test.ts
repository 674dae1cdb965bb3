/** What `pregen serve --queue` answers of a queue, and what it lets be done to one. */
import { mkdir } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openServer } from '../../src/cli/commands/serve.ts'
import { connectQueue, type QueueClient } from '../../src/queue/connect.ts'
import { listQueue } from '../../src/queue/list.ts'
import { watchQueue } from '../../src/queue/watch.ts'
import { queuedSheetSchema } from '../../src/watch/server/queue-routes.ts'
import type { WatchServer } from '../../src/watch/server/start-server.ts'
import { runCli } from '../support/cli.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { createScratch } from '../support/scratch.ts'
import { MODEL, stageSheet, takeNext } from './staged.ts'

const scratch = createScratch()
const PASSWORD = 'the-password-of-the-queue'
const TOKEN = 'a-token-for-tests-only'
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` }
const WATCH = { host: '127.0.0.1', port: 0, token: TOKEN, previewQuality: 75, previewSize: 64 }
const [FIRST, SECOND] = ['1'.repeat(32), '2'.repeat(32)]

let redis: RedisServer
let client: QueueClient
let server: WatchServer
let told = ''

beforeAll(async () => {
  redis = await startRedis({ password: PASSWORD })
  client = await connectQueue(redis.url)
  const out = join(scratch.folder, 'out')
  await mkdir(out)
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    told += String(text)
    return true
  })
  server = await openServer(out, { ...WATCH, queue: redis.url })
}, 120_000)
afterAll(async () => {
  await server.close()
  await client.close()
  await redis.stop()
  vi.restoreAllMocks()
})

async function ask(path: string, init: RequestInit = {}) {
  const response = await fetch(`${server.origin}${path}`, {
    ...init,
    headers: { ...AUTHORIZED, ...init.headers },
  })
  const text = await response.text()
  // Neither its password nor a part of it, whatever is asked.
  expect(text).not.toContain(PASSWORD)
  return {
    status: response.status,
    text,
    body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : null,
  }
}

const post = (path: string, init: RequestInit = {}) => ask(path, { method: 'POST', ...init })

describe('a queue that is served', () => {
  it('tells of sheets, of the machines at work, and of what failed, as "pregen jobs --queue" does', async () => {
    await vi.waitFor(async () => expect((await ask('/api/queue')).body).toEqual([]))
    expect((await ask('/api/versions')).body).toEqual({ versions: [], queue: true })
    await stageSheet(client, { id: FIRST, version: 'opening-night', units: 3 })
    await stageSheet(client, { id: SECOND, version: '<b>late</b>', units: 1 })
    const [done, active, failed] = [
      await takeNext(client, 'gpu-1'),
      await takeNext(client, 'gpu-2'),
      await takeNext(client, 'gpu-3'),
    ]
    const unit = { device: 'cuda:0', cue: 'dawn', variant: 'seed-1', steps: 20 }
    await done.done()
    await active.tell({ ...unit, machine: 'gpu-2', step: 7 })
    await failed.tell({ ...unit, machine: 'gpu-3', variant: 'seed-2', step: 20 })
    await failed.fail('E_NOT_FINITE: dawn/seed-2: vae decode: The decoded pixels hold NaN values.')
    const { status, body } = await ask('/api/queue')
    expect(status).toBe(200)
    expect(body).toMatchObject([
      {
        ...{ id: FIRST, version: 'opening-night', name: 'evening.yaml', state: 'queued', units: 3 },
        ...{ waiting: 0, done: 1, failed: 1, whole: null },
        active: [{ machine: 'gpu-2', device: 'cuda:0', cue: 'dawn', variant: 'seed-1', step: 7, steps: 20 }],
        failures: [{ units: [2], cue: 'dawn', variant: 'seed-2', machine: 'gpu-3', tries: 1 }],
      },
      { id: SECOND, version: '<b>late</b>', waiting: 1, done: 0, failed: 0, active: [], failures: [] },
    ])
    for (const sheet of body) queuedSheetSchema.parse(sheet)
    expect((await ask(`/api/queue/${FIRST}`)).body).toEqual(body[0])
    const { stdout } = await runCli(['jobs', '--json', '--queue', redis.url])
    expect(JSON.parse(stdout)).toEqual(body)
    const { text } = await ask('/metrics')
    expect(text).toContain('pregen_queue_up 1')
    expect(text).toContain('pregen_queue_jobs{state="waiting"} 1')
    expect(text).toContain('pregen_queue_jobs{state="failed"} 1')
  }, 60_000)

  it('is changed by nobody who may not', async () => {
    const statusOf = (path: string, method: string, headers: Record<string, string>) =>
      new Promise<number | undefined>((resolve, reject) => {
        const { hostname, port } = new URL(server.origin)
        const asked = request({ hostname, port, path, method, headers }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
        asked.on('error', reject).end()
      })
    for (const path of [`/api/queue/${FIRST}/retry`, `/api/queue/${FIRST}/cancel`]) {
      expect(await statusOf(path, 'POST', {})).toBe(401)
      expect(await statusOf(path, 'POST', { authorization: 'Bearer another-token-of-16' })).toBe(401)
      expect(await statusOf(path, 'POST', { ...AUTHORIZED, origin: 'https://evil.example' })).toBe(403)
      expect(await statusOf(path, 'POST', { ...AUTHORIZED, host: 'rebound.example' })).toBe(403)
      // A link or a picture changes nothing.
      expect(await statusOf(path, 'GET', AUTHORIZED)).toBe(404)
    }
    expect(await statusOf('/api/queue', 'GET', {})).toBe(401)
    expect((await ask(`/api/queue/${FIRST}`)).body).toMatchObject({ state: 'queued', failed: 1 })
  })

  it.each(['nothing-like-it', '%20', '3'.repeat(32)])('has no sheet %s', async (name) => {
    for (const { status, body } of [
      await ask(`/api/queue/${name}`),
      await post(`/api/queue/${name}/retry`),
      await post(`/api/queue/${name}/cancel`),
    ]) {
      expect([status, body.errors[0].code]).toEqual([404, 'E_QUEUE_SHEET'])
    }
  })

  it('is told to try again what failed, and to drop a sheet', async () => {
    expect((await post(`/api/queue/${FIRST}/retry`)).body).toEqual({ jobs: 1 })
    expect((await ask(`/api/queue/${FIRST}`)).body).toMatchObject({ waiting: 1, failed: 0, failures: [] })
    expect((await post(`/api/queue/${FIRST}/retry`)).body).toEqual({ jobs: 0 })
    expect((await post(`/api/queue/${SECOND}/cancel`)).body).toEqual({ jobs: 1 })
    expect((await ask(`/api/queue/${SECOND}`)).status).toBe(404)
    // What is dropped leaves no failed job behind.
    const failed = await takeNext(client, 'gpu-3')
    await failed.fail('E_NOT_FINITE: once more')
    expect((await post(`/api/queue/${FIRST}/cancel`)).status).toBe(200)
    const queue = new client.bull.Queue(`units-${MODEL}`, client.options)
    expect(await queue.getJobCounts('failed', 'wait', 'prioritized')).toEqual({
      failed: 0,
      wait: 0,
      prioritized: 0,
    })
    await queue.close()
  })

  it('hides no sheet behind one that another program left there', async () => {
    const strange = '4'.repeat(32)
    await client.redis.hset(client.keys.sheet(strange), { record: 'nonsense', state: 'queued' })
    await client.redis.zadd(client.keys.sheets, Date.now(), strange)
    await stageSheet(client, { id: SECOND, version: 'late', units: 1 })
    const { body } = await ask('/api/queue')
    expect(body.map(({ id, version }: { id: string; version: string }) => [id, version])).toEqual(
      expect.arrayContaining([
        [strange, '?'],
        [SECOND, 'late'],
      ]),
    )
    expect((await post(`/api/queue/${strange}/cancel`)).status).toBe(200)
    expect((await ask(`/api/queue/${strange}`)).status).toBe(404)
  })

  it('goes away and comes back without a server started again, and nothing hangs', async () => {
    await redis.kill()
    for (const { status, body } of [await ask('/api/queue'), await post(`/api/queue/${SECOND}/retry`)])
      expect([status, body.errors[0].code, body.errors[0].message]).toEqual([
        ...[503, 'E_QUEUE_UNREACHABLE', 'The queue does not answer.'],
      ])
    expect((await ask('/metrics')).text).toContain('pregen_queue_up 0')
    // The rest of the page stays.
    expect((await ask('/api/runs')).status).toBe(200)
    await vi.waitFor(() => expect(told).toContain('is away'), 20_000)
    await redis.start()
    await vi.waitFor(
      async () => expect((await ask('/api/queue')).body).toMatchObject([{ id: FIRST }, { id: SECOND }]),
      20_000,
    )
    expect(told).toContain('is back')
    expect(told).not.toContain(PASSWORD)
  }, 60_000)
})

it('leaves nothing behind, however often it is looked at', async () => {
  const names = ['error', 'close', 'ready', 'end']
  const listeners = () => names.map((name) => client.redis.listenerCount(name))
  await listQueue(client)
  const before = listeners()
  for (let look = 0; look < 60; look++) await listQueue(client)
  expect(listeners()).toEqual(before)
})

describe('a queue that is not there when the server begins', () => {
  it('is looked for until it is, and ends with the server', async () => {
    const own = await startRedis()
    await own.kill()
    const lines: string[] = []
    const watch = watchQueue(own.url, { say: (line) => void lines.push(line) })
    await expect(watch.list()).rejects.toMatchObject({ code: 'E_QUEUE_UNREACHABLE' })
    await own.start()
    await vi.waitFor(async () => expect(await watch.list()).toEqual([]), 20_000)
    await watch.close()
    await own.stop()
    expect(lines.at(-1)).toContain('is there')
    const never = watchQueue(own.url, {})
    await sleep(50)
    await never.close()
  }, 60_000)

  it('is refused where its address is none, whose text is told nowhere', async () => {
    const { code, stderr } = await runCli([
      'serve',
      scratch.folder,
      '--port',
      '0',
      '--queue',
      `http://:${PASSWORD}@x`,
    ])
    expect([code, stderr]).toEqual([2, expect.stringContaining('E_QUEUE_ADDRESS')])
    expect(stderr).not.toContain(PASSWORD)
  })
})

it('without a queue, a server has none to ask', async () => {
  const alone = await openServer(scratch.folder, WATCH)
  const get = (path: string) => fetch(`${alone.origin}${path}`, { headers: AUTHORIZED })
  expect((await get('/api/queue')).status).toBe(404)
  expect(await (await get('/api/versions')).json()).toMatchObject({ queue: false })
  expect(await (await get('/metrics')).text()).not.toContain('pregen_queue')
  await alone.close()
})
