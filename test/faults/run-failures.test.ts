import { mkdir, readFile, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { acquireLock } from '../../src/artifacts/lock.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { eventOf, runCli } from '../support/cli.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import {
  BUCKET_ENV,
  expectNoLeftovers,
  runSheet,
  runWhole,
  tinySheet,
  unitsOf,
  writeSheet,
} from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()

/** Six units, two prompts; one in a batch each. */
const CUES = {
  storm: { program: 'P0', prompt: 'sea at night', seeds: [1, 2] },
  dawn: { program: 'P0', prompt: 'misty mountains', seeds: [3, 4, 5, 6] },
}
const PROGRAMS = { P0: {} }
const UNITS = 6

/** Every unit is told once, and done + skipped + failed + left is the plan. */
function expectCounted(events: readonly RunEvent[]) {
  const end = eventOf(events, 'run-finished')
  const planned = eventOf(events, 'run-planned')
  expect(end.done + end.skipped + end.failed + end.left).toBe(planned.units)
  expect(unitsOf(events, 'unit-finished').length).toBe(end.done)
  expect(unitsOf(events, 'unit-failed').length).toBe(end.failed)
  expect(unitsOf(events, 'unit-skipped').length).toBe(end.skipped)
  return end
}

const stagesOf = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.type === 'unit-failed' ? [`${event.variant} ${event.stage}`] : [])).sort()

describe('promise 11: whatever fails, the run says so and all units are accounted for', () => {
  it('in text encoding, generating and writing, each unit for itself; a rerun mends all', async () => {
    const sheet = await writeSheet(scratch.folder, tinySheet({ programs: PROGRAMS, cues: CUES }), 'a.yaml')
    const out = join(scratch.folder, 'units')
    const faults = 'text-encode#1=throw,generated@3=throw,before-ledger#2=throw'
    const first = await runSheet(sheet, out, ['--dry-run'], { env: { PREGEN_FAULTS: faults } })
    expect(first.status).toBe(3)
    const end = expectCounted(first.events)
    expect(end).toMatchObject({ done: 2, skipped: 0, failed: 4, left: 0 })
    const stages = stagesOf(first.events)
    expect(stages.slice(0, 2)).toEqual(['seed-1 text encode', 'seed-2 text encode'])
    expect(stages.filter((stage) => stage.endsWith(' generate'))).toEqual(['seed-4 generate'])
    expect(stages.filter((stage) => stage.endsWith(' write')).length).toBe(1)
    await expectNoLeftovers(out)
    const rerun = await runWhole(sheet, out, ['--dry-run'])
    expect(expectCounted(rerun.events)).toMatchObject({ done: 4, skipped: 2, failed: 0, left: 0 })
  }, 600_000)

  it('--fail-fast stops at the first and says how many are left', async () => {
    const sheet = await writeSheet(scratch.folder, tinySheet({ programs: PROGRAMS, cues: CUES }), 'b.yaml')
    const out = join(scratch.folder, 'fail-fast')
    const env = { PREGEN_FAULTS: 'generated@1=throw' }
    const { status, events } = await runSheet(sheet, out, ['--dry-run', '--fail-fast'], { env })
    expect(status).toBe(3)
    const end = expectCounted(events)
    expect(end.failed).toBe(1)
    expect(end.left).toBeGreaterThan(0)
    expect(end.done + end.left).toBe(UNITS - 1)
  }, 600_000)

  describe('in the bucket', () => {
    let moto: MotoServer
    let proxy: FaultProxy
    beforeAll(async () => {
      moto = await startMoto()
      await moto.createBucket('show')
      proxy = await startFaultProxy(moto.endpoint)
    }, 600_000)
    afterAll(async () => {
      await proxy.stop()
      await moto.stop()
    })

    it('one object that is refused: exit 3, its name, no manifest; a rerun sends it', async () => {
      const storage = { bucket: 'show', endpoint: proxy.endpoint }
      const sheet = await writeSheet(
        scratch.folder,
        tinySheet({ programs: PROGRAMS, cues: CUES, storage }),
        'c.yaml',
      )
      const out = join(scratch.folder, 'refused')
      proxy.setFaults(({ method, path }) =>
        method === 'PUT' && path.endsWith('seed-4/final.png') ? 403 : null,
      )
      const { status, events } = await runSheet(sheet, out, [], { env: BUCKET_ENV })
      expect(status).toBe(3)
      expect(expectCounted(events)).toMatchObject({ done: 6, failed: 0, uploaded: 5, uploadsFailed: 1 })
      expect(eventOf(events, 'upload-failed').key).toBe('foigoi/v1/cues/dawn/seed-4/final.png')
      expect(proxy.requests.has('PUT /show/foigoi/v1/manifest.json')).toBe(false)
      proxy.setFaults(() => null)
      const rerun = await runWhole(sheet, out, [], { env: BUCKET_ENV })
      expect(eventOf(rerun.events, 'run-finished')).toMatchObject({ skipped: 6, uploaded: 2, provider: null })
      expect(proxy.requests.get('PUT /show/foigoi/v1/cues/storm/seed-1/final.png')).toBe(1)
    }, 600_000)
  })
})

describe('promise 12: two processes on one output folder', () => {
  it('the second is turned away at once, with PID and host of the first; a dead one is no hindrance', async () => {
    const sheet = await writeSheet(scratch.folder, tinySheet({ programs: PROGRAMS, cues: CUES }), 'd.yaml')
    const out = join(scratch.folder, 'locked')
    await mkdir(out)
    let pid = 0
    const first = runSheet(sheet, out, ['--dry-run'], {
      env: { PREGEN_FAULTS: 'step#1=stall' },
      onStart(child) {
        pid = child.pid ?? 0
      },
    })
    while (!(await isThere(join(out, '.pregen/lock')))) await sleep(20)
    const second = await runSheet(sheet, out, ['--dry-run'])
    expect(second.status).toBe(2)
    expect(second.stderr).toContain('E_LOCKED')
    expect(second.stderr).toContain(`process ${pid} on ${hostname()}`)
    expect(second.events).toEqual([])
    process.kill(pid, 'SIGKILL')
    expect((await first).status).toBe(137)
    // The lock of the dead process is still there.
    expect(JSON.parse(await readFile(join(out, '.pregen/lock'), 'utf8'))).toMatchObject({ pid })
    const third = await runWhole(sheet, out, ['--dry-run'])
    expect(expectCounted(third.events).done).toBe(UNITS)
    await expectNoLeftovers(out)
  }, 600_000)

  it('turns a second process away for little more than the start of the command line', async () => {
    const out = join(scratch.folder, 'turned-away')
    await mkdir(out)
    const sheet = await writeSheet(
      scratch.folder,
      tinySheet({ programs: { P0: {} }, cues: CUES }),
      'turned.yaml',
    )
    const lock = await acquireLock(join(out, '.pregen/lock'))
    // Held to a run that ends at once, for there is no sheet, measured beside it: a busy machine slows both.
    const figures = join(scratch.folder, 'figures.json')
    const hook = `import{writeFileSync}from'node:fs';process.on('exit',()=>writeFileSync(${JSON.stringify(figures)},JSON.stringify([process.cpuUsage(),performance.now()])))`
    const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(hook)}` }
    const timed = async (args: readonly string[]) => {
      const result = await runCli(args, { env })
      const [cpu, wallMs] = JSON.parse(await readFile(figures, 'utf8'))
      return { ...result, cpuMs: (cpu.user + cpu.system) / 1000, wallMs }
    }
    const args = ['run', sheet, '--out', out, '--dry-run', '--provider', 'cpu', '--format', 'plain']
    let refused = await timed(args)
    const ratios = { cpu: Number.POSITIVE_INFINITY, wall: Number.POSITIVE_INFINITY }
    // One try may be held up; a process that works, or waits for something, is slow every time.
    for (let tries = 0; tries < 5 && !(ratios.cpu < 2 && ratios.wall < 2); tries++) {
      const idle = await timed([
        'run',
        'no-such-sheet.yaml',
        '--out',
        join(scratch.folder, 'free'),
        '--dry-run',
      ])
      refused = await timed(args)
      ratios.cpu = Math.min(ratios.cpu, refused.cpuMs / idle.cpuMs)
      ratios.wall = Math.min(ratios.wall, refused.wallMs / idle.wallMs)
    }
    console.log(
      `turned away in ${ratios.cpu.toFixed(1)} × the processor time of a run without a sheet, ${ratios.wall.toFixed(1)} × its wall time`,
    )
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining(`process ${process.pid} on ${hostname()}`),
    ])
    expect(ratios.cpu).toBeLessThan(2)
    expect(ratios.wall).toBeLessThan(2)
    // Neither model nor sheet was read: a sheet that is not there is not missed.
    const blind = await timed(['run', 'no-such-sheet.yaml', '--out', out, '--dry-run'])
    expect([blind.code, blind.stderr]).toEqual([2, expect.stringContaining('E_LOCKED')])
    await lock.release()
  }, 600_000)

  it('waits for nothing when it is turned away', async () => {
    const path = join(scratch.folder, 'lock')
    const lock = await acquireLock(path)
    const timers = vi.spyOn(globalThis, 'setTimeout')
    await expect(acquireLock(path)).rejects.toMatchObject({ code: 'E_LOCKED' })
    expect(timers).not.toHaveBeenCalled()
    timers.mockRestore()
    await lock.release()
  })
})

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
