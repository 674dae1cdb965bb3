/**
 * What the queue itself takes: units that cost nothing to draw, put in and taken by workers in processes of their own, by
 * the calls of `pregen work`: a job taken, judged, its lease renewed once before it would be sent, confirmed.
 * `npm run bench:queue [-- --units 10000 --workers 3 --queue redis://127.0.0.1:6379]`; without --queue it starts a server
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createManifest, encodeManifest, mergeManifests, parseManifest } from '../src/artifacts/manifest.ts'
import { connectQueue, type QueueClient } from '../src/queue/connect.ts'
import { addFlow } from '../src/queue/enqueue.ts'
import { parseUnitJob } from '../src/queue/job.ts'
import { renewLease } from '../src/queue/lease.ts'
import { ENDS_QUEUE, unitJobId, unitsQueue } from '../src/queue/names.ts'
import { saveSheet } from '../src/queue/sheet-store.ts'

const { values } = parseArgs({
  options: {
    units: { type: 'string', default: '10000' },
    workers: { type: 'string', default: '3' },
    queue: { type: 'string' },
    work: { type: 'string' },
  },
})
const units = Number(values.units)
const workers = Number(values.workers)
const MODEL = 'b'.repeat(32)
const SHEET = 'a'.repeat(32)
const IN_HAND = 4
const LEASE_MS = 120_000

if (values.work === undefined) await race()
else await drawNothing(values.work)

async function race(): Promise<void> {
  const server = values.queue === undefined ? await startServer() : null
  const address = values.queue ?? `redis://127.0.0.1:${server?.port}`
  const client = await connectQueue(`${address}?prefix=bench`)
  try {
    const before = await usedBytes(client)
    const enqueueMs = await enqueue(client)
    const bytesAJob = Math.round(((await usedBytes(client)) - before) / units)
    const again = await enqueue(client)
    const begun = performance.now()
    const children = Array.from({ length: workers }, () =>
      fork(process.argv[1] ?? '', ['--work', address], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    )
    const figures = await Promise.all(children.map(figuresOf))
    const seconds = (performance.now() - begun) / 1000
    const drawn = figures.reduce((sum, { jobs }) => sum + jobs, 0)
    const ends = new client.bull.Queue(ENDS_QUEUE, client.options)
    const ended = await ends.getJobCounts('wait', 'waiting-children')
    await ends.close()
    const result = {
      ...{ units, workers, enqueueMs: Math.round(enqueueMs), enqueueAgainMs: Math.round(again), bytesAJob },
      ...{ drawn, unitsASecond: Math.round(drawn / seconds), endWaits: ended.wait },
      workerRssMiB: figures.map(({ rss }) => rss.map((bytes) => Math.round(bytes / 2 ** 20))),
      manifest: await mergeTimes(),
    }
    console.log(JSON.stringify(result, null, 2))
  } finally {
    const keys = await client.redis.keys('bench:*')
    for (let from = 0; from < keys.length; from += 1000)
      await client.redis.del(...keys.slice(from, from + 1000))
    await client.close()
    await server?.stop()
  }
}

async function enqueue(client: QueueClient): Promise<number> {
  const wanted = new Map(
    Array.from({ length: units }, (_, index) => [index, { digest: digestOf(index), model: MODEL }]),
  )
  const jobs = [...wanted].map(([index, { digest }]) => {
    const own: [number, string][] = [[index, digest]]
    return {
      name: 'units',
      queueName: unitsQueue(MODEL),
      data: { v: 1, sheet: SHEET, units: own },
      opts: {
        ...{ jobId: unitJobId(SHEET, own), priority: 1000, attempts: 3, removeOnComplete: true },
        ...{ ignoreDependencyOnFailure: true, stackTraceLimit: 0 },
        backoff: { type: 'exponential', delay: 2000 },
      },
    }
  })
  const begun = performance.now()
  const sheet = { name: 'bench.yaml', text: '{}', rows: {}, version: 'bench' }
  const record = { v: 1, ...sheet, submitted: new Date().toISOString() } as const
  await saveSheet(client, SHEET, { record, wanted, models: {} })
  await addFlow(client, SHEET, jobs)
  return performance.now() - begun
}

function digestOf(index: number): string {
  return hash('sha256', String(index))
}

/** Memory at a tenth, half and the end of what there is to do. */
async function drawNothing(address: string): Promise<void> {
  const client = await connectQueue(`${address}?prefix=bench`)
  const options = { ...client.options, autorun: false, lockDuration: LEASE_MS, maxStalledCount: 3 }
  const worker = new client.bull.Worker(unitsQueue(MODEL), null, options)
  let jobs = 0
  const rss: number[] = []
  const hand = async (name: number): Promise<void> => {
    for (;;) {
      const token = `${process.pid}-${name}-${jobs}`
      const job = await worker.getNextJob(token, { block: false })
      if (job === undefined) return
      parseUnitJob(job.data)
      if (!(await renewLease(worker, { job, token }, LEASE_MS))) throw new Error('a lease was lost')
      await job.moveToCompleted(0, token, false)
      jobs++
      if (jobs % Math.ceil(units / workers / 5) === 0) rss.push(process.memoryUsage().rss)
    }
  }
  await Promise.all(Array.from({ length: IN_HAND }, (_, name) => hand(name)))
  await worker.close()
  await client.close()
  process.send?.({ jobs, rss })
  process.disconnect()
}

async function figuresOf(child: ChildProcess): Promise<{ jobs: number; rss: number[] }> {
  const [message] = await once(child, 'message')
  return message as { jobs: number; rss: number[] }
}

async function usedBytes({ redis }: QueueClient): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1])
}

/** What one end of a sheet costs: reading what stands there, laying its lines over it, writing it. */
async function mergeTimes() {
  const out: Record<string, { mebibytes: number; ms: number }> = {}
  for (const lines of [10_000, 100_000]) {
    const assets = Array.from({ length: lines }, (_, index) => lineOf(index))
    const bytes = encodeManifest(createManifest('bench', assets))
    const begun = performance.now()
    const there = parseManifest(Buffer.from(bytes).toString('utf8'), 'manifest.json')
    encodeManifest(mergeManifests('bench', [there, createManifest('bench', assets.slice(0, 1000))]))
    out[lines] = {
      mebibytes: Math.round((bytes.byteLength / 2 ** 20) * 10) / 10,
      ms: Math.round(performance.now() - begun),
    }
  }
  return out
}

function lineOf(index: number) {
  const variant = `seed-${index}`
  const sha256 = digestOf(index)
  return {
    ...{ type: 'image', cue: 'dawn', variant, program: 'P1', url: `cues/dawn/${variant}/final.png` },
    ...{ thumbnail_url: null, timing_url: `cues/dawn/${variant}/timing.json` },
    prompt: 'misty mountains at dawn, painted backdrop, soft light over the valley',
    metadata: {
      ...{ width: 1024, height: 1024, format: 'png', seed: String(index), steps: 28, steps_executed: 28 },
      ...{ guidance_scale: 4.5, scheduler: 'flow-match-euler', model: 'sdxl', model_fingerprint: sha256 },
      ...{ file_size_bytes: 1_500_000, sha256, generation_time: 5.25, reference_mode: 'none' },
      asset_index: index,
    },
  }
}

async function startServer() {
  const folder = mkdtempSync(join(tmpdir(), 'pregen-bench-redis-'))
  const port = 20_000 + (process.pid % 20_000)
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
  const child = spawn('redis-server', [...args, '--appendonly', 'yes', '--appendfsync', 'everysec'], {
    stdio: 'ignore',
  })
  await sleep(1000)
  return {
    port,
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
