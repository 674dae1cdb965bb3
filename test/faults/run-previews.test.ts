/** A preview that fails costs that preview and the marker, never the picture; a rerun mends it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  expectMarkersTrue,
  expectNoLeftovers,
  filesBelow,
  pictureHashes,
  runSheet,
  runWhole,
  tinySheet,
  unitsOf,
  writeSheet,
} from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const METHODS = ['latent2rgb', 'taesd', 'full']
const STEPS = 3
const ARGS = ['--dry-run', '--live-file']
/** What the fault itself says, whichever process it came from. */
const INJECTED = /injected at preview-(render|encode|write|full)/

const scratch = createScratch()
let sheet: string
let expected: ReadonlyMap<string, string>

beforeAll(async () => {
  const programs = METHODS.map((method) => [method, { previews: { method } }])
  const cues = METHODS.map((method, i) => [method, { program: method, prompt: 'dunes', seeds: [i + 1] }])
  sheet = await writeSheet(
    scratch.folder,
    tinySheet({ programs: Object.fromEntries(programs), cues: Object.fromEntries(cues) }),
  )
  const out = join(scratch.folder, 'whole')
  await runWhole(sheet, out, ARGS)
  expected = await pictureHashes(out)
  expect(expected.size).toBe(METHODS.length * (STEPS + 1))
}, 600_000)

const units = METHODS.map((method, i) => `${method}/seed-${i + 1}`)

/** Runs with injected faults and checks what the failed previews must leave: all but themselves and the marker. */
async function runFailing(out: string, faults: readonly string[], lost: Readonly<Record<string, number[]>>) {
  const result = await runSheet(sheet, out, ARGS, { env: { PREGEN_FAULTS: faults.join(',') } })
  const hit = Object.keys(lost).sort()
  expect(result.status).toBe(3)
  expect(unitsOf(result.events, 'unit-failed').sort()).toEqual(hit)
  const told: Record<string, number[]> = {}
  for (const event of result.events) {
    if (event.type === 'unit-failed') expect(event.code).toBe('E_PREVIEWS_INCOMPLETE')
    if (event.type !== 'preview-failed') continue
    const unit = `${event.cue}/${event.variant}`
    expect(event.method).toBe(event.cue)
    expect(event.message).toMatch(INJECTED)
    told[unit] = [...(told[unit] ?? []), event.step].sort()
  }
  expect(told).toEqual(lost)
  const { events } = result
  const counts = { skipped: unitsOf(events, 'unit-skipped').length, failed: hit.length }
  const done = units.length - counts.skipped - counts.failed
  expect(events.at(-1)).toMatchObject({ type: 'run-finished', done, ...counts })

  const pictures = await pictureHashes(out)
  for (const [path, hash] of pictures) expect([path, hash]).toEqual([path, expected.get(path)])
  const files = await filesBelow(out)
  for (const unit of units) {
    const folder = `foigoi/v1/cues/${unit}/`
    const names = files.filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length))
    const missing = lost[unit] ? [...lost[unit].map((step) => `${step}.png`), 'timing.json'] : []
    const all = ['1.png', '2.png', '3.png', 'final.png', 'timing.json']
    expect([unit, names]).toEqual([unit, all.filter((name) => !missing.includes(name))])
  }
  await expectNoLeftovers(out)
}

async function mend(out: string, hit: readonly string[]) {
  const { events } = await runWhole(sheet, out, ARGS)
  expect(unitsOf(events, 'unit-finished').sort()).toEqual([...hit].sort())
  expect(await pictureHashes(out)).toEqual(expected)
  await expectMarkersTrue(out)
  await expectNoLeftovers(out)
}

const [linear = '', tiny = '', full = ''] = units

describe('a preview that fails', () => {
  it('by each method, in the first, middle and last step, leaves every final picture as it was', async () => {
    const out = join(scratch.folder, 'render')
    for (const step of [1, 2, STEPS]) {
      const lost = { [linear]: [step], [tiny]: [step], [full]: [step] }
      await runFailing(out, [`preview-render@${step}=throw`], lost)
    }
    await mend(out, units)
  }, 600_000)

  it('in the encoder, for a full disk, or inside the inference worker does no more harm', async () => {
    const out = join(scratch.folder, 'others')
    const faults = ['preview-encode@1=throw', 'preview-write@2=enospc', 'preview-full@3=throw']
    await runFailing(out, faults, { [linear]: [1, 2], [tiny]: [1, 2], [full]: [1, 2, 3] })
    await runFailing(out, ['preview-full@2=throw'], { [full]: [2] })
    await mend(out, [full])
  }, 600_000)
})

describe('the live file', () => {
  it('stands while a picture forms, and a crash and a rerun leave none over', async () => {
    const out = join(scratch.folder, 'live')
    const env = { PREGEN_FAULTS: 'renamed@seed-1_preview.png=kill' }
    expect((await runSheet(sheet, out, ARGS, { env })).status).toBe(137)
    const live = join(out, '.pregen/live/latent2rgb/seed-1_preview.png')
    expect((await readFile(live)).subarray(1, 4).toString('latin1')).toBe('PNG')
    await runWhole(sheet, out, ARGS)
    await expectNoLeftovers(out)
  }, 600_000)
})
