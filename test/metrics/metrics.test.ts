/** What `GET /metrics` answers, read by the parser that Prometheus's own client for Python has. */
import type { ChildProcess } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openServer } from '../../src/cli/commands/serve.ts'
import { createRunMetrics } from '../../src/metrics/run-metrics.ts'
import { enqueue, queuedSheet, startWorker } from '../queue/support.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { runWhole, statusOf, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { runTool } from '../support/tools.ts'

/** A sample a line, as `name{a="b"} 1`; every family has its help, and no sample is there twice. */
const PARSE = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
seen, bare = {}, []
for family in text_string_to_metric_families(sys.stdin.read()):
    if not family.documentation or family.type == 'unknown': bare.append(family.name)
    for s in family.samples:
        labels = ','.join('%s="%s"' % pair for pair in sorted(s.labels.items()))
        name = s.name + ('{' + labels + '}' if labels else '')
        if name in seen: bare.append('twice: ' + name)
        seen[name] = s.value
print(json.dumps({'samples': seen, 'bare': bare}))
`

async function parsed(text: string): Promise<Readonly<Record<string, number>>> {
  const { code, output } = await runTool('python', ['-c', PARSE], text)
  expect([code, output]).toEqual([0, expect.stringContaining('samples')])
  const { samples, bare } = JSON.parse(output)
  expect(bare).toEqual([])
  return samples
}

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

const SHOW = { programs: { P0: {} }, cues: { sea: { program: 'P0', prompt: 'sea', seeds: [1, 2] } } }

describe('the metrics of a server', () => {
  it('count what runs did since it began, for whoever has its token', async () => {
    const out = join(scratch.folder, 'served')
    await mkdir(out)
    const sheet = await writeSheet(scratch.folder, tinySheet(SHOW), 'served.yaml')
    // Before the server: history.
    await runWhole(sheet, out, ['--dry-run', '--variant', 'seed-1'])
    const token = 'a-token-for-tests-only'
    const watch = { host: '127.0.0.1', port: 0, token, previewQuality: 75, previewSize: 64 }
    const server = await openServer(out, watch)
    onTestFinished(() => server.close())
    const ask = () => fetch(`${server.origin}/metrics`, { headers: { authorization: `Bearer ${token}` } })
    expect((await fetch(`${server.origin}/metrics`)).status).toBe(401)
    const first = await parsed(await (await ask()).text())
    expect(first).toMatchObject({ 'pregen_units_total{state="done"}': 0, pregen_steps_total: 0 })
    await runWhole(sheet, out, ['--dry-run'])
    const answer = await ask()
    expect(answer.headers.get('content-type')).toContain('text/plain')
    const counted = await parsed(await answer.text())
    expect(counted).toMatchObject({
      'pregen_units_total{state="done"}': 1,
      'pregen_units_total{state="skipped"}': 1,
      'pregen_units_total{state="failed"}': 0,
      pregen_steps_total: 3,
      'pregen_step_seconds_count{device="cpu:0"}': 3,
      'pregen_step_seconds_bucket{device="cpu:0",le="+Inf"}': 3,
      pregen_unit_seconds_count: 1,
      pregen_model_loads_total: 1,
      'pregen_runs{state="done"}': 2,
      'pregen_runs{state="running"}': 0,
      'pregen_uploads_total{state="sent"}': 0,
    })
    expect(counted.pregen_session_run_seconds_total).toBeGreaterThan(0)
    // Asked again, nothing is counted twice.
    expect(await parsed(await (await ask()).text())).toEqual(counted)
  }, 120_000)
})

describe('the metrics of a worker', () => {
  it('count its units, jobs and uploads, and what its queue holds', async () => {
    await moto.createBucket('metrics')
    const sheet = await writeSheet(scratch.folder, queuedSheet(moto, 'metrics', SHOW), 'work.yaml')
    await enqueue(redis, sheet)
    let child: ChildProcess | undefined
    let url = ''
    const ended = startWorker(redis, join(scratch.folder, 'work'), ['--metrics-port', '0'], {
      onStart: (own) => {
        child = own
      },
      onStderr: (text) => {
        url ||= /metrics at (\S+)/.exec(text)?.[1] ?? ''
      },
    })
    let samples: Readonly<Record<string, number>> = {}
    const isOver = () =>
      samples['pregen_jobs_total{outcome="done"}'] === 2 && samples['pregen_queue_jobs{state="active"}'] === 0
    while (!isOver()) {
      await sleep(100)
      if (url !== '') samples = await parsed(await (await fetch(url)).text())
    }
    expect(samples).toMatchObject({
      'pregen_units_total{state="done"}': 2,
      pregen_steps_total: 6,
      'pregen_jobs_total{outcome="failed"}': 0,
      'pregen_queue_jobs{state="waiting"}': 0,
      'pregen_queue_jobs{state="active"}': 0,
      pregen_queue_up: 1,
    })
    // The picture and the record of each.
    expect(samples['pregen_uploads_total{state="sent"}']).toBeGreaterThanOrEqual(2)
    expect(samples.pregen_upload_bytes_total).toBeGreaterThan(1000)
    expect(samples.pregen_session_run_seconds_total).toBeGreaterThan(0)
    const { port } = new URL(url)
    const status = async (path: string, init: RequestInit = {}) =>
      (await fetch(`http://127.0.0.1:${port}${path}`, init)).status
    expect(await status('/metrics', { headers: { origin: 'https://elsewhere.example' } })).toBe(403)
    expect(await status('/metrics', { method: 'POST' })).toBe(405)
    expect(await status('/')).toBe(404)
    // A queue that is away is told as such; the worker's own counts stay.
    await redis.kill()
    const away = await parsed(await (await fetch(url)).text())
    expect(away).toMatchObject({ pregen_queue_up: 0, 'pregen_units_total{state="done"}': 2 })
    expect(away['pregen_queue_jobs{state="waiting"}']).toBeUndefined()
    await redis.start()
    child?.kill('SIGTERM')
    expect(statusOf(await ended)).toBe(143)
  }, 120_000)

  it('need a token on another address than loopback', async () => {
    const args = ['--metrics-port', '0', '--metrics-host', '0.0.0.0']
    const { code, stderr } = await startWorker(redis, join(scratch.folder, 'open'), args)
    expect([code, stderr]).toEqual([2, expect.stringContaining('PREGEN_METRICS_TOKEN')])
  }, 60_000)
})

it('what stands in a forged log makes no series of its own', async () => {
  const { registry, onEvent } = createRunMetrics('1')
  const stamp = { run: 'x', seq: 1, time: '' }
  const odd = 'E_X"} 1\nforged 1'
  onEvent({
    type: 'unit-failed',
    cue: 'a',
    variant: 'b',
    stage: 's',
    code: odd,
    message: '',
    help: '',
    ...stamp,
  })
  onEvent({ type: 'step', cue: 'a', variant: 'b', step: 1, steps: 1, durationMs: 5, device: odd, ...stamp })
  const samples = await parsed(await registry.metrics())
  expect(samples['pregen_failures_total{code="other"}']).toBe(1)
  expect(samples['pregen_step_seconds_count{device="other"}']).toBe(1)
  expect(samples.forged).toBeUndefined()
})
