import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eventOf } from '../support/cli.ts'
import {
  expectMarkersTrue,
  pictureHashes,
  runSheet,
  runWhole,
  tinySheet,
  writeSheet,
} from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()
const SEEDS = [1, 2, 3, 4, 5, 6]
const files = ['1.png', '2.png', '3.png', 'final.png', 'timing.json']

describe('--force', () => {
  it('costs a crash no finished picture but those of the unit that is drawn anew', async () => {
    const sheet = await writeSheet(
      scratch.folder,
      tinySheet({
        programs: { P1: { previews: { method: 'latent2rgb' } } },
        cues: { dawn: { program: 'P1', prompt: 'misty mountains', seeds: SEEDS } },
      }),
    )
    const out = join(scratch.folder, 'out')
    await runWhole(sheet, out, ['--dry-run'])
    const whole = await pictureHashes(out)
    const written = async (seed: number) => {
      const folder = join(out, `foigoi/v1/cues/dawn/seed-${seed}`)
      const states = await Promise.allSettled(files.map((name) => stat(join(folder, name))))
      return states.map((state) => (state.status === 'fulfilled' ? state.value.mtimeMs : null))
    }
    const before = await Promise.all(SEEDS.map(written))

    // The second unit's second step, once the first is finished.
    const env = { PREGEN_FAULTS: 'step#5=kill' }
    const killed = await runSheet(sheet, out, ['--dry-run', '--force'], { env })
    expect(killed.status).toBe(137)
    const after = await Promise.all(SEEDS.map(written))
    expect(after.slice(2)).toEqual(before.slice(2))
    await expectMarkersTrue(out)

    const mended = await runWhole(sheet, out, ['--dry-run'])
    const end = eventOf(mended.events, 'run-finished')
    expect(end.failed).toBe(0)
    expect(end.done).toBeLessThanOrEqual(2)
    expect(await pictureHashes(out)).toEqual(whole)
  }, 600_000)
})
