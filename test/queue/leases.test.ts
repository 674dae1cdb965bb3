import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { statusOf } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { enqueue, manifestOf, queuedSheet, startWorker, writeSheet } from './support.ts'

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

const LEASE_S = 4
const lease = ['--lease', String(LEASE_S)]
/** The second step takes for ever, as a native call does that cannot be interrupted. */
const SLOW = { PREGEN_FAULTS: 'step@2=stall' }

/** The queue of the one model of a sheet that was just put in. */
async function queueOf(): Promise<Queue> {
  const [model] = Object.keys(await client.hgetall('pregen:models'))
  return new Queue(`units-${model}`, { connection: client, prefix: 'pregen' })
}

/** A worker whose inference stands still in the second step of a unit. */
async function startSlowWorker(name: string) {
  let child: ChildProcess | undefined
  let started: () => void = () => undefined
  const isDrawing = new Promise<void>((resolve) => {
    started = resolve
  })
  const args = ['--format', 'ndjson', '--name', name, ...lease]
  const ended = startWorker(redis, join(scratch.folder, name), args, {
    env: SLOW,
    onStart: (own) => {
      child = own
    },
    onStdout: (text) => {
      if (text.includes('"type":"step"')) started()
    },
  })
  await Promise.race([isDrawing, ended])
  if (child === undefined) throw new Error('the worker has not begun')
  return { child, ended }
}

describe('a lease', () => {
  it('holds through a step that takes longer, and goes back at once with SIGTERM', async () => {
    await moto.createBucket('slow')
    const show = { programs: { P0: {} }, cues: { sea: { program: 'P0', prompt: 'sea', seeds: [1] } } }
    const sheet = await writeSheet(scratch.folder, queuedSheet(moto, 'slow', show), 'slow.yaml')
    await enqueue(redis, sheet)
    const queue = await queueOf()
    const { child, ended } = await startSlowWorker('slow')
    await sleep(3 * LEASE_S * 1000)
    const [job] = await queue.getActive()
    expect(job).toMatchObject({ processedBy: 'slow', attemptsStarted: 1, stalledCounter: 0 })
    expect(job?.progress).toMatchObject({ machine: 'slow', cue: 'sea', variant: 'seed-1', steps: 3 })
    expect(await client.pttl(`pregen:${queue.name}:${job?.id}:lock`)).toBeGreaterThan(LEASE_S * 250)
    child.kill('SIGTERM')
    const before = performance.now()
    while ((await queue.getActiveCount()) > 0) await sleep(20)
    // Long before the step, or the process, ends.
    expect(performance.now() - before).toBeLessThan(4000)
    expect(await queue.getJobCounts('prioritized', 'failed')).toEqual({ prioritized: 1, failed: 0 })
    expect(statusOf(await ended)).toBe(143)
    await queue.close()
  }, 180_000)

  it('is lost by a worker that is stopped; woken, it does no harm', async () => {
    // The unit of the test before waits still.
    const { child, ended } = await startSlowWorker('stopped')
    child.kill('SIGSTOP')
    const other = await startWorker(redis, join(scratch.folder, 'other'), ['--drain', ...lease])
    expect([other.code, other.stderr]).toEqual([0, expect.stringContaining('1 unit drawn')])
    expect(other.stderr).toContain('v1 has ended: 1 unit whole')
    const told = await manifestOf(moto, 'slow')
    child.kill('SIGCONT')
    await sleep(2 * LEASE_S * 1000)
    child.kill('SIGTERM')
    const { stdout } = await ended
    expect(stdout).toContain('W_LEASE_LOST')
    expect(stdout).not.toContain('object-uploaded')
    expect(await manifestOf(moto, 'slow')).toEqual(told)
    expect(told).toHaveLength(1)
    const queue = await queueOf()
    expect(Object.values(await queue.getJobCounts()).every((count) => count === 0)).toBe(true)
    await queue.close()
  }, 180_000)
})
