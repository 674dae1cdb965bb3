/** Promises 1, 2 and 3: kill it anywhere, read it all the while, fill the disk; nothing is lost or half there. */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { KILL_POINTS, type KillPoint } from '../../src/artifacts/write-points.ts'
import { type CompiledSource, compileSource } from '../support/child.ts'
import {
  expectMarkersTrue,
  expectNoTemporaryFiles,
  finishedUnits,
  RENDER_SCRIPT,
  treeHashes,
} from '../support/render-child.ts'
import { createRandom } from '../support/seed.ts'

const random = createRandom('kill a writer')

export interface CrashOptions {
  readonly folder: string
  /** Kills at random moments. */
  readonly kills: number
  readonly variants: number
  readonly steps: number
}

/** @returns what was killed in mid-work and how much of the work each rerun found done */
export async function killAndRerun(options: CrashOptions): Promise<{ killed: number; kept: number[] }> {
  const { folder, kills, variants, steps } = options
  const source = await compileSource(['artifacts', 'images'])
  try {
    const start = (out: string, point = '', passes = 0) =>
      source.start(RENDER_SCRIPT, [out, String(variants), String(steps), point, String(passes)])
    const whole = join(folder, 'whole')
    const from = performance.now()
    expect((await start(whole).ended).code).toBe(0)
    const runMs = performance.now() - from
    const expected = await treeHashes(whole)
    expect(expected.size).toBe(variants * (steps + 2))

    const rerun = async (out: string): Promise<number> => {
      await expectMarkersTrue(out, variants)
      const finished = await finishedUnits(out)
      const end = await start(out).ended
      expect([end.code, end.stderr]).toEqual([0, ''])
      const result: unknown = JSON.parse(end.stdout.split('\n')[1] ?? '')
      // What had been finished was not made again, and nothing else was left out.
      const done = new Set(doneOf(result))
      expect(done.size).toBe(variants - finished.length)
      for (const key of finished) expect(done.has(key)).toBe(false)
      expect(await treeHashes(out)).toEqual(expected)
      await expectNoTemporaryFiles(out)
      return finished.length
    }

    const kept: number[] = []
    let killed = 0
    // A process that ended before its moment came does not count.
    for (let i = 0; killed < kills && i < 3 * kills; i++) {
      const out = join(folder, `random-${i}`)
      const child = start(out)
      // Spread over start, work and end of a whole run, evenly.
      await sleep((runMs * ((i % kills) + random())) / kills)
      child.process.kill('SIGKILL')
      if ((await child.ended).signal === 'SIGKILL') killed += 1
      await mkdir(out, { recursive: true })
      kept.push(await rerun(out))
      await rm(out, { recursive: true })
    }
    for (const point of KILL_POINTS) kept.push(await killAtPoint(point, { folder, whole, start, rerun }))
    return { killed, kept }
  } finally {
    await source.remove()
  }
}

// Points that only a run over an earlier run's files passes.
const STALE_POINTS: readonly KillPoint[] = ['stale-marker-removed', 'steps-cleared', 'ledger-compacting']

interface Killing {
  readonly folder: string
  /** A whole tree. */
  readonly whole: string
  readonly start: (out: string, point: string, passes: number) => ReturnType<CompiledSource['start']>
  readonly rerun: (out: string) => Promise<number>
}

async function killAtPoint(point: KillPoint, { folder, whole, start, rerun }: Killing): Promise<number> {
  const out = join(folder, `at-${point}`)
  if (STALE_POINTS.includes(point)) await staleTree(whole, out, point)
  const passes = STALE_POINTS.includes(point) ? 0 : 2
  const end = await start(out, point, passes).ended
  expect([point, end.signal]).toEqual([point, 'SIGKILL'])
  const finished = await rerun(out)
  await rm(out, { recursive: true })
  return finished
}

/** A whole tree whose ledger says the same thing thrice, or whose first variant has lost a picture. */
async function staleTree(whole: string, out: string, point: KillPoint): Promise<void> {
  // With their times, by which untouched files are known.
  await cp(whole, out, { recursive: true, preserveTimestamps: true })
  const ledger = join(out, '.pregen/ledger.ndjson')
  const text = await readFile(ledger, 'utf8')
  if (point === 'ledger-compacting') await writeFile(ledger, text.repeat(3))
  else await rm(join(out, 'foigoi/v1/cues/dawn/seed-0/1.png'))
}

function doneOf(result: unknown): readonly unknown[] {
  if (typeof result !== 'object' || result === null || !('done' in result)) return []
  return Array.isArray(result.done) ? result.done : []
}
