/** Promise 1 in the real process: killed anywhere, a rerun does exactly what is missing, and the same pictures. */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { KILL_POINTS } from '../../src/artifacts/write-points.ts'
import {
  expectMarkersTrue,
  expectNoLeftovers,
  finishedUnits,
  pictureHashes,
  type RunResult,
  runSheet,
  runWhole,
  tinySheet,
  unitsOf,
  writeSheet,
} from '../support/runs.ts'
import { createRandom } from '../support/seed.ts'

const random = createRandom('kill a run')

/** Plain pictures, step pictures made each of the three ways, a thumbnail. */
const SHEET = tinySheet({
  programs: {
    P0: {},
    P1: { previews: { method: 'latent2rgb' }, thumbnail: true },
    P2: { previews: { method: 'taesd' } },
    P3: { previews: { method: 'full' } },
  },
  cues: {
    storm: { program: 'P0', prompt: 'sea at night', seeds: [1, 2] },
    dawn: { program: 'P1', prompt: 'misty mountains', seeds: [3, 4] },
    dunes: { program: 'P2', prompt: 'dunes at noon', seeds: [5] },
    city: { program: 'P3', prompt: 'a city at dusk', seeds: [6] },
  },
})
const UNITS = 6
const ARGS = ['--dry-run', '--live-file']

export interface CrashStage {
  readonly sheet: string
  /** An undisturbed run. */
  readonly whole: string
  readonly pictures: ReadonlyMap<string, string>
  readonly events: number
  readonly wallMs: number
}

export async function prepareCrashes(folder: string): Promise<CrashStage> {
  const sheet = await writeSheet(folder, SHEET)
  const whole = join(folder, 'whole')
  const from = performance.now()
  const { events } = await runWhole(sheet, whole, ARGS)
  const wallMs = performance.now() - from
  const pictures = await pictureHashes(whole)
  // Two finals, twice three steps, final and thumbnail, and twice three steps and final.
  expect(pictures.size).toBe(2 + 2 * 5 + 2 * 4)
  await expectNoLeftovers(whole)
  return { sheet, whole, pictures, events: events.length, wallMs }
}

/** The rerun after whatever happened: nothing finished is made again, nothing is missing, nothing is left over. */
export async function mend({ sheet, pictures }: CrashStage, out: string): Promise<number> {
  await mkdir(out, { recursive: true })
  await expectMarkersTrue(out)
  const finished = (await finishedUnits(out)).sort()
  const { events } = await runWhole(sheet, out, ARGS)
  expect(unitsOf(events, 'unit-skipped').sort()).toEqual(finished)
  expect(unitsOf(events, 'unit-started').length).toBe(UNITS - finished.length)
  expect(await pictureHashes(out)).toEqual(pictures)
  await expectMarkersTrue(out)
  await expectNoLeftovers(out)
  return finished.length
}

export interface KillCounts {
  /** Processes that were killed before their end. */
  killed: number
  /** Finished units that each rerun found. */
  readonly kept: number[]
}

/** Kills at random moments: every third by the clock (start-up included), the others in mid-work. */
export async function killAtRandom(stage: CrashStage, folder: string, kills: number): Promise<KillCounts> {
  const counts: KillCounts = { killed: 0, kept: [] }
  // A process that ended before its moment came does not count.
  for (let i = 0; counts.killed < kills && i < 3 * kills; i++) {
    const out = join(folder, `random-${i}`)
    const result = i % 3 === 0 ? await killByClock(stage, out) : await killInWork(stage, out)
    if (result.signal === 'SIGKILL') counts.killed += 1
    counts.kept.push(await mend(stage, out))
    await rm(out, { recursive: true })
  }
  return counts
}

function killByClock({ sheet, wallMs }: CrashStage, out: string): Promise<RunResult> {
  return runSheet(sheet, out, ARGS, {
    onStart: (child) => void sleep(random() * wallMs).then(() => child.kill('SIGKILL')),
  })
}

function killInWork({ sheet, events }: CrashStage, out: string): Promise<RunResult> {
  let left = Math.floor(random() * events)
  return runSheet(sheet, out, ARGS, {
    onStdout(text, child) {
      left -= text.split('\n').length - 1
      if (left <= 0) void sleep(random() * 30).then(() => child.kill('SIGKILL'))
    },
  })
}

/** Points of a run that lie outside the writing path's own. */
const RUN_POINTS = [
  'text-encode',
  'generated',
  'preview-render@2',
  'preview-encode@3',
  'preview-write@1',
  'before-ledger#2',
  'renamed@manifest.json',
  'renamed@final.png',
  'renamed@timing.json',
  'renamed@seed-3_preview.png',
]

// These lie on the way of a run over an earlier run's files only.
const STALE_POINTS = ['ledger-compacting', 'stale-marker-removed', 'steps-cleared']

/**
 * Every named point in turn on the same folder: each run goes on from where the one before was killed, so that a
 * crash after a crash is tried as well.
 * @returns the points
 */
export async function killAtEveryPoint(stage: CrashStage, folder: string): Promise<readonly string[]> {
  const { sheet, whole } = stage
  const out = join(folder, 'points')
  await cp(whole, out, { recursive: true, preserveTimestamps: true })
  const ledger = join(out, '.pregen/ledger.ndjson')
  await writeFile(ledger, (await readFile(ledger, 'utf8')).repeat(3))
  for (const point of STALE_POINTS) await killAt(sheet, out, point, ['--force'])
  // A forced run opens a few units ahead; the rest is untouched.
  expect(await mend(stage, out)).toBeGreaterThan(0)
  await rm(out, { recursive: true })

  const points = [...KILL_POINTS.filter((point) => !STALE_POINTS.includes(point)), ...RUN_POINTS]
  for (const point of points) {
    await killAt(sheet, out, point)
    await expectMarkersTrue(out)
  }
  await mend(stage, out)
  return [...STALE_POINTS, ...points]
}

async function killAt(
  sheet: string,
  out: string,
  point: string,
  args: readonly string[] = [],
): Promise<void> {
  const env = { PREGEN_FAULTS: `${point}=kill` }
  const run = () => runSheet(sheet, out, [...ARGS, ...args], { env })
  let { status } = await run()
  if (status === 0) {
    // The point was not on the way of what was left to do; from the start it must be.
    await rm(out, { recursive: true })
    status = (await run()).status
  }
  expect([point, status]).toEqual([point, 137])
}
