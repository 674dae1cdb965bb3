import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { processIdentity } from '../../src/artifacts/lock-holder.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { cancelRun } from '../../src/watch/runs/cancel-run.ts'
import { createRunLog } from '../../src/watch/runs/log-writer.ts'
import { makeRunFolder, pruneRuns, runFolder } from '../../src/watch/runs/run-folder.ts'
import { findRun, RunList } from '../../src/watch/runs/run-list.ts'
import { RUN_STATES, runStatusSchema, runSummarySchema } from '../../src/watch/runs/run-status.ts'
import { waitForTurn } from '../../src/watch/runs/turn.ts'
import { temporaryFolder } from '../support/temp.ts'
import { runFinished, stageRun, started, stepped } from './staged-run.ts'

const id = (n: number) => `20261126-2315${String(n).padStart(2, '0')}-00a${n % 10}`

describe('the state of a run', () => {
  it('is told from its record, its log and its process', async () => {
    const out = join(await temporaryFolder(), 'out')
    const begunAt = new Date().toISOString()
    const drained = await stageRun({ out, id: id(0) })
    await drained.record({ begunAt, exitCode: 75 })
    const done = await stageRun({ out, id: id(1) })
    await done.record({ begunAt, exitCode: 0 })
    const partial = await stageRun({ out, id: id(2), units: 2 })
    await partial.emit(started('v1'))
    await partial.finish('dawn', 'v1')
    await partial.record({ begunAt, exitCode: 3 })
    const failed = await stageRun({ out, id: id(3) })
    await failed.record({
      begunAt,
      exitCode: 2,
      error: { code: 'E_NO_BUCKET', message: 'no bucket', help: null },
    })
    const cancelled = await stageRun({ out, id: id(4) })
    await cancelled.record({ begunAt, exitCode: 143 })
    const died = await stageRun({ out, id: id(5), alive: false })
    await died.record({ begunAt })
    // Killed between its last event and its record.
    const ended = await stageRun({ out, id: id(6), alive: false })
    await ended.emit(runFinished())
    const running = await stageRun({ out, id: id(7) })
    await running.record({ begunAt })
    await stageRun({ out, id: id(8) })
    await stageRun({ out, id: id(9) })

    const runs = new RunList(out)
    const summaries = await runs.summaries()
    expect(summaries.map(({ state }) => state).reverse()).toEqual([
      ...['drained', 'done', 'partial', 'failed', 'cancelled', 'died', 'done', 'running', 'queued', 'queued'],
    ])
    expect(new Set(summaries.map(({ state }) => state)).size).toBe(RUN_STATES.length)
    expect(
      summaries
        .map(({ position }) => position)
        .reverse()
        .slice(-3),
    ).toEqual([null, 1, 2])
    for (const summary of summaries) {
      expect(runSummarySchema.parse(summary)).toEqual(summary)
      const status = await runs.status(summary.id)
      expect(runStatusSchema.parse(status)).toEqual(status)
    }
    expect(await runs.newest()).toBe(id(7))
  })

  it('tells the unit in the making, its pictures, the pace and the failures', async () => {
    const out = join(await temporaryFolder(), 'out')
    const run = await stageRun({ out, id: id(1), units: 3 })
    await run.record({ begunAt: new Date().toISOString() })
    const runs = new RunList(out)
    expect(await runs.status(run.id)).toMatchObject({ units: 3, left: 3, current: null, eta_seconds: null })
    await run.emit(started('v1'))
    for (let step = 1; step <= 4; step++) await run.emit(stepped('v1', step))
    await run.finish('dawn', 'v1')
    await run.emit(started('v2'))
    await run.emit({
      type: 'unit-failed',
      cue: 'dawn',
      variant: 'v2',
      stage: 'decode',
      code: 'E_NAN',
      message: 'NaN',
      help: 'Again.',
    })
    await run.emit(started('v3'))
    await run.emit(stepped('v3', 1))
    await run.preview('dawn', 'v3', 1)
    const status = await runs.status(run.id)
    expect(status).toMatchObject({
      ...{ state: 'running', done: 1, failed: 1, left: 1, version: 'v', prefix: 'foigoi/v' },
      current: { cue: 'dawn', variant: 'v3', step: 1, steps: 4, pictures: [{ step: 1, url: null }] },
      failures: [
        {
          variant: 'v2',
          stage: 'decode',
          command: `pregen run cues.yaml --out ${out} --dry-run --cue dawn --variant v2`,
        },
      ],
    })
    // Seven steps of 100 ms are left, and the 600 ms that the first unit took beside its steps.
    expect(status?.eta_seconds).toBeCloseTo(1.3, 1)
  })

  it('is listed from its record alone once it has ended, and told in full from its log', async () => {
    const out = join(await temporaryFolder(), 'out')
    const run = await stageRun({ out, id: id(1), units: 2 })
    await run.emit(started('v1'))
    await run.finish('dawn', 'v1')
    const result = { version: 'v', prefix: 'foigoi/v', planned: 2, skipped: 0, done: 1, failed: 1, sent: 0 }
    await run.record({ begunAt: new Date().toISOString(), exitCode: 3, result })
    const runs = new RunList(out)
    expect(await runs.summaries()).toMatchObject([
      { state: 'partial', version: 'v', units: 2, done: 1, failed: 1, left: 0 },
    ])
    expect(runs.follower(id(1)).state.seq).toBe(0)
    expect((await runs.status(id(1)))?.finished).toMatchObject([{ cue: 'dawn', variant: 'v1' }])
  })

  it('survives lines that are torn, foreign or of later releases', async () => {
    const out = join(await temporaryFolder(), 'out')
    const run = await stageRun({ out, id: id(1) })
    const log = join(runFolder(out, run.id), 'events.ndjson')
    await appendFile(
      log,
      'not json\n{"type":"unit-danced","run":"x","seq":9,"time":""}\n{"type":"step"}\n{"type":"unit-sta',
    )
    const runs = new RunList(out)
    expect(await runs.status(run.id)).toMatchObject({ units: 1, left: 1 })
    await appendFile(log, `rted"}\n`)
    await run.emit(started('v1'))
    expect((await runs.status(run.id))?.drawing).toHaveLength(0)
    await run.record({ begunAt: new Date().toISOString() })
    expect((await runs.status(run.id))?.drawing).toHaveLength(1)
  })

  it('is found by its id or a part of it', async () => {
    const out = join(await temporaryFolder(), 'out')
    await stageRun({ out, id: id(1) })
    await stageRun({ out, id: id(2) })
    const runs = new RunList(out)
    expect(await findRun(runs, id(1))).toBe(id(1))
    expect(await findRun(runs, '00a2')).toBe(id(2))
    await expect(findRun(runs, '20261126')).rejects.toMatchObject({
      code: 'E_NO_RUN',
      message: expect.stringContaining('several'),
    })
    await expect(findRun(runs, '../x')).rejects.toMatchObject({ code: 'E_NO_RUN' })
  })
})

describe('a queue', () => {
  it('lets runs in by the order of their submission', async () => {
    const out = join(await temporaryFolder(), 'out')
    const first = await stageRun({ out, id: id(1) })
    await first.record({ begunAt: new Date().toISOString() })
    const second = await stageRun({ out, id: id(2) })
    await stageRun({ out, id: id(3) })
    const order: string[] = []
    const signal = AbortSignal.timeout(20_000)
    const turn = (n: number) =>
      waitForTurn(new RunList(out), id(n), { signal, pollMs: 10 }).then(() => order.push(id(n)))
    const turns = [turn(3), turn(2)]
    await first.record({ exitCode: 0 })
    await turns[1]
    expect(order).toEqual([id(2)])
    await second.record({ exitCode: 143 })
    await turns[0]
    expect(order).toEqual([id(2), id(3)])
  })

  it('is left when the signal comes', async () => {
    const out = join(await temporaryFolder(), 'out')
    await stageRun({ out, id: id(1) })
    const abort = new AbortController()
    const turn = waitForTurn(new RunList(out), id(2), { signal: abort.signal, pollMs: 10 })
    abort.abort(new Error('enough'))
    await expect(turn).rejects.toThrow()
  })
})

it('cancel ends the process that runs, and no other of the same number', async () => {
  const out = join(await temporaryFolder(), 'out')
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  await once(child, 'spawn')
  const pid = child.pid ?? 0
  const impostor = await stageRun({ out, id: id(1) })
  await impostor.record({ begunAt: new Date().toISOString(), pid, process: `${await processIdentity(pid)}9` })
  expect((await cancelRun(new RunList(out), id(1), 100)).state).toBe('died')
  expect(child.exitCode).toBeNull()
  const real = await stageRun({ out, id: id(2) })
  await real.record({ begunAt: new Date().toISOString(), pid, process: await processIdentity(pid) })
  const exited = once(child, 'exit')
  await cancelRun(new RunList(out), id(2), 2000)
  expect((await exited)[1]).toBe('SIGTERM')
})

it('a process that has ended counts as gone, though nobody has asked how it ended', async () => {
  const out = join(await temporaryFolder(), 'out')
  const run = await stageRun({ out, id: id(1) })
  // A shell that becomes another program asks nobody: its child stays a zombie until that ends.
  // The child waits for that: the shell would ask after one that ends before.
  const waiting = 'while read -r name < /proc/$$/comm && [ "$name" = bash ]; do :; done'
  const parent = spawn('bash', ['-c', `(${waiting}) & echo $!; exec sleep 600`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [text] = await once(parent.stdout, 'data')
  const pid = Number(String(text).trim())
  const stateOf = async () => (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ')[2]
  for (let tries = 0; tries < 500 && (await stateOf()) !== 'Z'; tries++) await sleep(10)
  expect(await stateOf()).toBe('Z')
  await run.record({ begunAt: new Date().toISOString(), pid, process: await processIdentity(pid) })
  expect((await new RunList(out).status(run.id))?.state).toBe('died')
  parent.kill()
})

describe('the folder of runs', () => {
  it('keeps the newest fifty, and those that go on', async () => {
    const out = join(await temporaryFolder(), 'out')
    const inside = makeRunFolder(out, id(1))
    for (let n = 0; n < 60; n++) makeRunFolder(out, `20260101-0000${String(n).padStart(2, '0')}-0000`)
    await pruneRuns(inside, async (run) => run !== '20260101-000003-0000')
    const left = (await readdir(join(out, '.pregen/runs'))).sort()
    expect(left).toHaveLength(51)
    expect(left[0]).toBe('20260101-000003-0000')
    expect(left.at(-1)).toBe(id(1))
  })

  it('follows no link', async () => {
    const folder = await temporaryFolder()
    const out = join(folder, 'out')
    await mkdir(join(folder, 'elsewhere'))
    makeRunFolder(out, id(1))
    await rm(join(out, '.pregen/runs'), { recursive: true })
    await symlink(join(folder, 'elsewhere'), join(out, '.pregen/runs'))
    expect(() => makeRunFolder(out, id(2))).toThrow('symbolic link')
    expect(await readdir(join(folder, 'elsewhere'))).toEqual([])
  })

  it('costs the run nothing when the log cannot be written', async () => {
    const out = join(await temporaryFolder(), 'out')
    const inside = makeRunFolder(out, id(1))
    await mkdir(join(runFolder(out, id(1)), 'events.ndjson'))
    const told: string[] = []
    const log = createRunLog(inside, id(1), (why) => told.push(why))
    for (let i = 0; i < 10; i++)
      log.append({ ...started('v1'), run: id(1), seq: i + 1, time: '' } as RunEvent)
    await log.close()
    expect(told).toHaveLength(1)
    await writeFile(join(out, 'still-here'), '')
  })
})
