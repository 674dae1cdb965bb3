/** What the golden tests measured, for docs/parity.md (`npm run parity`). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GoldenCase, PixelDistance } from './oracle.ts'

interface ParityRecord {
  readonly family: string
  readonly model: string
  readonly case: string
  readonly task: string
  readonly scheduler: string
  readonly overrides: Readonly<Record<string, unknown>>
  /** null: drawn through the command line, which writes no latents. */
  readonly latents: number | null
  readonly rms: number | null
  readonly pixels: PixelDistance
}

const records: ParityRecord[] = []

export function record(measured: {
  readonly family: string
  readonly golden: Pick<GoldenCase, 'model' | 'case'> & {
    readonly task: string
    readonly scheduler: Pick<GoldenCase['scheduler'], 'class' | 'overrides'>
  }
  readonly latents: number | null
  readonly rms: number | null
  readonly pixels: PixelDistance
}): void {
  const { family, golden, latents, rms, pixels } = measured
  const { model, task, scheduler } = golden
  records.push({
    family,
    model,
    case: golden.case,
    task,
    scheduler: scheduler.class,
    overrides: scheduler.overrides,
    latents,
    rms,
    pixels,
  })
}

/** Writes them where `npm run parity` asked for them; does nothing in an ordinary test run. */
export function writeRecords(name: string): void {
  const folder = process.env.PREGEN_PARITY_RECORDS
  if (folder !== undefined) writeFileSync(join(folder, `${name}.json`), JSON.stringify(records))
}
