/** Every case of a reference, through the real command line: one sheet, one run. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readModelFolder } from '../../src/model/folder.ts'
import { comparePixels, type PixelDistance } from '../pipelines/oracle.ts'
import { record, writeRecords } from '../pipelines/parity-records.ts'
import { runSheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { cueOf, picturesOf, type Reference } from './reference.ts'

/** Pixels within 1 level on 99.9 % of values, and none beyond 8. */
export function drawsItsCases({ cases, modelOf }: Reference): void {
  const { folder } = createScratch()
  const out = join(folder, 'out')
  const paths = [...new Set(cases.map(modelOf))]
  const { family } = readModelFolder(paths[0]!)
  afterAll(() => writeRecords(cases[0]!.model))
  const models = new Map(paths.map((path, index) => [path, `m${index}`]))
  beforeAll(async () => {
    const sheet = await writeSheet(folder, {
      version: 'v',
      models: Object.fromEntries([...models].map(([path, id]) => [id, path])),
      programs: { P0: {} },
      cues: Object.fromEntries(
        cases.map((golden) => [golden.case, cueOf(golden, models.get(modelOf(golden))!)]),
      ),
    })
    const { status, stderr, events } = await runSheet(sheet, out)
    const failed = events.filter(({ type }) => type === 'unit-failed')
    expect([status, failed, stderr]).toEqual([0, [], ''])
  })

  describe('through the command line', () => {
    test.each(cases)('$case is diffusers’ picture', async (golden) => {
      for (const [index, { png }] of picturesOf(golden).entries()) {
        const path = join(out, 'foigoi/v/cues', golden.case, `p${index}`, 'final.png')
        expect(existsSync(path), path).toBe(true)
        const rgb = new Uint8Array(await sharp(path).removeAlpha().raw().toBuffer())
        const distance = await comparePixels(png, rgb)
        report(golden.case, distance)
        record({ family, golden, latents: null, rms: null, pixels: distance })
        expect(distance.worst).toBeLessThanOrEqual(8)
        expect(distance.beyondOne).toBeLessThanOrEqual(0.001)
      }
    })
  })
}

function report(name: string, { worst, differing, beyondOne }: PixelDistance): void {
  if (process.env.PREGEN_SHOW_DISTANCES === undefined) return
  console.info(`${name}: worst ${worst}, differing ${(100 * differing).toFixed(3)} %, beyond 1 ${beyondOne}`)
}
