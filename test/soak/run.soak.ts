/** The promises of the whole process with their full counts; `test/faults/run-*` holds the same with smaller ones. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { killAtEveryPoint, killAtRandom, prepareCrashes } from '../faults/run-crash.ts'
import { fillAnywhere } from '../faults/run-disk-full.ts'
import { cancel, refuse } from '../faults/run-ends.ts'
import { watchMemory } from '../faults/run-memory.ts'
import { readWhileRunning } from '../faults/run-reader.ts'
import { runTwice } from '../faults/run-repeat.ts'
import { temporaryFolder } from '../support/temp.ts'

/** Figures for docs/reliability.md. */
function report(promise: string, figures: object): void {
  console.log(`${promise}: ${JSON.stringify(figures)}`)
}

describe('the whole process', () => {
  it('1: 100 SIGKILLs at random moments, and one at every named point', async () => {
    const folder = await temporaryFolder()
    const stage = await prepareCrashes(folder)
    const { killed, kept } = await killAtRandom(stage, folder, 100)
    const points = await killAtEveryPoint(stage, folder)
    report('promise 1', {
      killed,
      keptInMidWork: kept.filter((units) => units > 0 && units < 6).length,
      points: points.length,
    })
    expect(killed).toBe(100)
    expect(new Set(kept).size).toBeGreaterThan(3)
  })

  it('2: a reader through two runs of 100 units', async () => {
    const result = await readWhileRunning(await temporaryFolder(), 100)
    report('promise 2', result)
    expect(result.invalid).toEqual([])
    expect(result.markers).toBeGreaterThan(100)
  })

  it('3: the disk full at 50 offsets', async () => {
    report('promise 3', await fillAnywhere(await temporaryFolder(), 50))
  })

  it('8: a second run over 1000 units in under 5 s', async () => {
    const result = await runTwice(join(await temporaryFolder(), 'twice'), 1000)
    report('promise 8', result)
    expect(result.secondMs).toBeLessThan(5000)
  })

  it('200 refusals and 200 cancels at random moments end by their own words', async () => {
    const folder = await temporaryFolder()
    const seed = Number(process.env.PREGEN_TEST_SEED ?? 1)
    await refuse(folder, 200)
    report('early ends', { seed, refusals: 200, cancels: 200, early: await cancel(folder, 200, seed) })
  })

  it('memory stays flat over 400 units', async () => {
    const result = await watchMemory(await temporaryFolder(), 400)
    report('memory', { ...result, grownMiB: (result.lateBytes - result.earlyBytes) / 2 ** 20 })
    expect(result.lateBytes - result.earlyBytes).toBeLessThan(64 * 1024 * 1024)
    expect(result.openFiles).toBeLessThanOrEqual(256)
  })
})
