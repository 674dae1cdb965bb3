/** Whole runs on an output folder whose file system cannot do it all. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  expectMarkersTrue,
  expectNoLeftovers,
  finishedUnits,
  runSheet,
  tinySheet,
  writeSheet,
} from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const scratch = createScratch()

describe('a weak file system', () => {
  it.each([
    ['folder-sync=einval,lock-link=eperm', ['cannot sync', 'no hard links']],
    ['folder-sync=enotsup', ['cannot sync']],
    ['lock-link=eio,make-private=eperm', ['no hard links', 'no permissions']],
  ])(
    '%s: the run ends well, with one warning',
    async (faults, words) => {
      const cues = { dawn: { program: 'P1', prompt: 'mist', seeds: [1, 2] } }
      const sheet = await writeSheet(scratch.folder, tinySheet({ programs: { P1: {} }, cues }))
      const out = join(scratch.folder, faults.replaceAll(/\W/g, '-'))
      const run = await runSheet(sheet, out, ['--dry-run'], { env: { PREGEN_FAULTS: faults } })
      expect([run.status, run.stderr]).toEqual([0, ''])
      const warnings = run.events.flatMap((event) =>
        event.type === 'warning' && event.code === 'W_FILE_SYSTEM' ? [event.message] : [],
      )
      expect(warnings).toHaveLength(1)
      for (const word of words) expect(warnings[0]).toContain(word)
      expect(run.events[0]?.type).toBe('run-planned')
      await expectMarkersTrue(out)
      await expectNoLeftovers(out)
      expect(await finishedUnits(out)).toHaveLength(2)
    },
    120_000,
  )
})
