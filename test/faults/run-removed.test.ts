/** Somebody removes a run's folder, or a part of it, while the run is at work. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import { errorCode } from '../../src/errors.ts'
import type { CliOptions } from '../support/cli.ts'
import { runSheet, runWhole, tinySheet, unitsOf, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const UNITS = 12
const { folder } = createScratch()
let sheet: string

beforeAll(async () => {
  const seeds = Array.from({ length: UNITS }, (_, i) => i + 1)
  const cues = { dawn: { program: 'P1', prompt: 'misty mountains', seeds } }
  sheet = await writeSheet(folder, tinySheet({ programs: { P1: {} }, cues }))
})

/** Once, when the third unit has its first step. */
function removeAtThird(path: string): Pick<CliOptions, 'onStdout'> {
  let stdout = ''
  let isDone = false
  return {
    onStdout(text) {
      stdout += text
      const third = stdout.split('"type":"unit-started"')[3]
      if (isDone || third?.includes('"type":"step"') !== true) return
      isDone = true
      removeWhole(path)
    },
  }
}

/** The run goes on making files meanwhile, before which `rmSync` gives up, now and then without a word. */
function removeWhole(path: string): void {
  do {
    try {
      rmSync(path, { recursive: true, force: true })
    } catch (error) {
      if (errorCode(error) !== 'ENOTEMPTY') throw error
    }
  } while (existsSync(path))
}

describe('what is removed while a run is at work', () => {
  it('the output folder: the run says so, and ends with 3', async () => {
    const out = join(folder, 'whole')
    const run = await runSheet(sheet, out, ['--dry-run'], removeAtThird(out))
    expect(run.status).toBe(3)
    expect(run.stderr).toContain('E_OUTPUT_REMOVED')
    expect(run.stderr).toContain('was removed while the run was at work')
    expect(run.stderr).toContain('Run the same command again')
    expect(run.stderr).not.toContain('another process')
    expect(run.stderr).not.toContain('E_BUG')
    await runWhole(sheet, out, ['--dry-run'])
  }, 120_000)

  it('the version’s folder: what was in it failed, what comes after is kept', async () => {
    const out = join(folder, 'version')
    const run = await runSheet(sheet, out, ['--dry-run'], removeAtThird(join(out, 'foigoi/v1')))
    expect(run.status).toBe(3)
    const failed = run.events.flatMap((event) => (event.type === 'unit-failed' ? [event] : []))
    expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['E_OUTPUT_REMOVED']))
    expect(failed.every(({ message }) => message.includes('was removed'))).toBe(true)
    const names = failed.map(({ variant }) => variant)
    expect(names).toEqual(expect.arrayContaining(['seed-1', 'seed-2']))
    const end = run.events.at(-1)
    expect(end).toMatchObject({ failed: names.length, done: UNITS - names.length, left: 0 })
    const { assets } = parseManifest(
      readFileSync(join(out, 'foigoi/v1/manifest.json'), 'utf8'),
      'manifest.json',
    )
    expect(assets.map(({ variant }) => variant).some((variant) => names.includes(variant))).toBe(false)
    const again = await runWhole(sheet, out, ['--dry-run'])
    expect(unitsOf(again.events, 'unit-finished').sort()).toEqual(names.map((name) => `dawn/${name}`).sort())
  }, 120_000)

  it('.pregen: it is made anew, and the next run draws nothing again', async () => {
    const out = join(folder, 'state')
    const run = await runSheet(sheet, out, ['--dry-run'], removeAtThird(join(out, '.pregen')))
    expect(run.status).toBe(0)
    const told = run.events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))
    expect(told).toContain('W_STATE_REMOVED')
    expect(existsSync(join(out, '.pregen/lock'))).toBe(false)
    expect(readdirSync(join(out, '.pregen'))).toContain('ledger.ndjson')
    const again = await runWhole(sheet, out, ['--dry-run'])
    expect(unitsOf(again.events, 'unit-finished')).toEqual([])
  }, 120_000)
})
