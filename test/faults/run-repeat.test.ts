import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { planSheet } from '../../src/tasks/plan-sheet.ts'
import { DEFAULTS, TINY_SD15, writeSheet } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'
import { PLAN_YARDSTICKS, yardsticksOf } from '../support/yardstick.ts'
import { runTwice } from './run-repeat.ts'

describe('promise 8: a second run over a complete set', () => {
  it('of 60 units: no inference, no request, at once', async () => {
    // Requests, calls and files are counted there; beside the first run, the second is next to nothing.
    const { firstMs, secondRunMs } = await runTwice(await temporaryFolder(), 60)
    expect(secondRunMs).toBeLessThan(firstMs / 2)
  }, 600_000)
})

describe('a plan of 10,000 variants', () => {
  it('takes what a second of a quiet processor does, sheet, digests and decisions included', async () => {
    const folder = await temporaryFolder()
    const seeds = Array.from({ length: 1000 }, (_, i) => i + 1)
    const cues = Array.from({ length: 10 }, (_, i) => [
      `cue-${i}`,
      { program: 'P1', prompt: `scene ${i}`, seeds },
    ])
    const sheetPath = await writeSheet(folder, {
      version: 'v1',
      models: { tiny: TINY_SD15 },
      defaults: DEFAULTS,
      programs: { P1: { previews: { method: 'latent2rgb' } } },
      cues: Object.fromEntries(cues),
    })
    const options = {
      sheetPath,
      env: {},
      outDir: join(folder, 'out'),
      force: false,
      allowPrivateUrls: false,
      cacheDir: join(folder, 'cache'),
      embeddedModels: {},
    }
    const ratio = await yardsticksOf(async () => {
      const report = await planSheet(options)
      expect(report.totals).toMatchObject({ units: 10_000, run: 10_000, files: 50_000 })
    })
    console.log(`10,000 units: ${ratio.toFixed(1)} yardsticks`)
    expect(ratio).toBeLessThan(PLAN_YARDSTICKS)
  }, 600_000)
})
