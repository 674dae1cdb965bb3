/** Several workers on one queue and one bucket, of which some are killed and started again. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { RunEvent } from '../../src/run/events.ts'
import type { CliResult } from '../support/cli.ts'
import type { FaultProxy } from '../support/fault-proxy.ts'
import type { MotoServer } from '../support/moto.ts'
import type { RedisServer } from '../support/redis.ts'
import { pictureHashes, runWhole, type Sheet } from '../support/runs.ts'
import { createRandom } from '../support/seed.ts'
import { enqueue, manifestOf, queuedSheet, startWorker, writeSheet } from './support.ts'

export interface MachinesOptions {
  readonly folder: string
  readonly redis: RedisServer
  readonly moto: MotoServer
  /** The way to the bucket, which may be broken. */
  readonly proxy: FaultProxy
  readonly bucket: string
  readonly show: Sheet
  readonly args: readonly string[]
  readonly workers: number
  /** SIGKILLs of the second worker and those after it, in turn. */
  readonly kills: number
  /** How long a worker lives before it is killed, at most. */
  readonly livesMs: number
  readonly restartsRedis: boolean
  /** For how long the bucket answers 503. */
  readonly outageMs: number
}

export interface MachinesResult {
  /** Times that each unit was drawn whole. */
  readonly drawn: ReadonlyMap<string, number>
  readonly kills: number
  readonly seconds: number
}

/** Draws a sheet with all of them, and compares what the bucket holds with what one machine draws. */
export async function drawTogether(options: MachinesOptions): Promise<MachinesResult> {
  const { folder, redis, proxy, bucket, args } = options
  const random = createRandom(`machines ${bucket}`)
  const sheet = await writeSheet(folder, queuedSheet(proxy, bucket, options.show), `${bucket}.yaml`)
  const enqueued = await enqueue(redis, sheet)
  expect([enqueued.code, enqueued.stderr]).toEqual([0, ''])
  const begun = performance.now()
  let killsLeft = options.kills
  let killed = 0
  const drawn = new Map<string, number>()
  const count = ({ stdout }: CliResult) => {
    for (const line of stdout.slice(0, stdout.lastIndexOf('\n') + 1).split('\n')) {
      const event: RunEvent | null = line === '' ? null : JSON.parse(line)
      if (event?.type !== 'unit-finished') continue
      const name = `${event.cue}/${event.variant}`
      drawn.set(name, (drawn.get(name) ?? 0) + 1)
    }
  }
  const workUntilDone = async (index: number): Promise<void> => {
    for (;;) {
      const isKilled = index > 0 && killsLeft > 0
      if (isKilled) killsLeft--
      const all = ['--drain', '--format', 'ndjson', ...args]
      let timer: NodeJS.Timeout | undefined
      const result = await startWorker(redis, join(folder, bucket, String(index)), all, {
        onStart: (child) => {
          if (!isKilled) return
          timer = setTimeout(() => child.kill('SIGKILL'), (0.3 + 0.7 * random()) * options.livesMs)
        },
      })
      clearTimeout(timer)
      count(result)
      if (result.signal === 'SIGKILL') {
        killed++
        continue
      }
      expect([result.code, result.stderr]).toEqual([0, expect.stringContaining('drawn')])
      return
    }
  }
  const trouble = async (): Promise<void> => {
    if (options.outageMs > 0) {
      await sleep(options.livesMs / 2)
      proxy.setFaults(() => 503)
      await sleep(options.outageMs)
      proxy.setFaults(() => null)
    }
    if (options.restartsRedis) {
      await sleep(options.livesMs / 2)
      await redis.kill()
      await sleep(1000)
      await redis.start()
    }
  }
  const workers = Array.from({ length: options.workers }, (_, index) => workUntilDone(index))
  await Promise.all([...workers, trouble()])
  const seconds = Math.round((performance.now() - begun) / 1000)

  const alone = join(folder, bucket, 'alone')
  const single = await runWhole(sheet, alone, ['--dry-run'])
  const lines = await manifestOf(options.moto, bucket)
  const names = lines.map(({ cue, variant }) => `${cue}/${variant}`)
  const planned = single.events.flatMap((event) => (event.type === 'run-planned' ? event.plan : []))
  // Every unit once, in the order of the sheet.
  expect(names).toEqual(planned.map(({ cue, variant }) => `${cue}/${variant}`))
  const own = await pictureHashes(alone)
  const told = new Map(
    lines.map(({ cue, variant, metadata }) => [
      `foigoi/v1/cues/${cue}/${variant}/final.png`,
      metadata.sha256,
    ]),
  )
  for (const [path, sha256] of told) expect([path, sha256]).toEqual([path, own.get(path)])
  expect(Math.max(...drawn.values())).toBeLessThanOrEqual(2)
  // A second enqueuing finds everything whole: all files, not the lines alone.
  expect((await enqueue(redis, sheet)).counts).toMatchObject({ whole: planned.length, jobs: 0, known: 0 })
  return { drawn, kills: killed, seconds }
}
