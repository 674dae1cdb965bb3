/** `pregen verify --rerender K`: draws some finished units again, elsewhere, and compares the pictures. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PictureDifference } from '../artifacts/compare-png.ts'
import { PICTURE_BYTES, readFileInside } from '../artifacts/confined-files.ts'
import { confine } from '../artifacts/confinement.ts'
import { type Layout, outputKindOf } from '../artifacts/layout.ts'
import { readLedger } from '../artifacts/ledger.ts'
import { messageOf, PregenError } from '../errors.ts'
import { unitName } from '../plan/unit.ts'
import { conductRun } from '../run/conduct-run.ts'
import type { EventBus } from '../run/event-bus.ts'
import type { RunOptions } from '../run/options.ts'
import { prepareRun } from '../run/prepare.ts'
import type { PreparedUnit } from '../run/prepared.ts'

export interface RerenderResult {
  /** `dawn/wide` */
  readonly unit: string
  /** null: it could not be drawn; the run's events say why. */
  readonly difference: PictureDifference | null
  readonly same: boolean
}

/** Builds and devices differ in the last bit; a pixel at a rounding edge may then move by one of 255. */
const TOLERATED_LEVEL = 1
const TOLERATED_SHARE = 0.001

/**
 * @param count units to draw, spread evenly over those that are finished
 * @throws PregenError `E_NOTHING_TO_RERENDER` when the folder holds no finished unit of this sheet
 */
export async function rerenderUnits(
  options: RunOptions,
  count: number,
  bus: EventBus,
): Promise<RerenderResult[]> {
  const original = await prepareRun(options)
  const ledger = await readLedger(original.layout.state.ledgerPath)
  const finished = original.units.filter(({ key, digest }) => ledger.units.get(key)?.digest === digest)
  if (finished.length === 0) {
    throw new PregenError(
      'E_NOTHING_TO_RERENDER',
      `${options.outDir} holds no finished unit of this sheet.`,
      {
        help: 'Run the sheet into this folder first, and verify it with the same sheet and version.',
      },
    )
  }
  const chosen = spread(finished, count)
  const scratch = await makeScratch()
  try {
    const again = await prepareRun({ ...options, outDir: scratch })
    const keys = new Set(chosen.map(({ key }) => key))
    const units = again.units.filter(({ key }) => keys.has(key))
    const dry = { ...options, outDir: scratch, dryRun: true, force: true }
    await conductRun({ prepared: { ...again, units }, options: dry, bus })
    return await Promise.all(
      chosen.map((entry) =>
        compareUnit(entry, readFinal(original.layout, entry), readFinal(again.layout, entry)),
      ),
    )
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function makeScratch(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), 'pregen-rerender-'))
  } catch (error) {
    throw new PregenError('E_NO_SCRATCH', `There is no place to draw again in: ${messageOf(error)}`, {
      help: 'Set TMPDIR to a folder that you may write to.',
      cause: error,
    })
  }
}

async function readFinal({ out, filePath }: Layout, { unit }: PreparedUnit): Promise<Uint8Array> {
  const path = filePath(unit.cue, unit.variant, outputKindOf(unit.output).name)
  return (await readFileInside(confine(out), path, PICTURE_BYTES)).bytes
}

async function compareUnit(
  { unit }: PreparedUnit,
  kept: Promise<Uint8Array>,
  drawn: Promise<Uint8Array>,
): Promise<RerenderResult> {
  const [before, after] = await Promise.allSettled([kept, drawn])
  if (before.status === 'rejected' || after.status === 'rejected') {
    return { unit: unitName(unit), difference: null, same: false }
  }
  const difference = await outputKindOf(unit.output).compare(before.value, after.value)
  const same = difference.largest <= TOLERATED_LEVEL && difference.share <= TOLERATED_SHARE
  return { unit: unitName(unit), difference, same }
}

/** `count` items at even distances, the first and (from two on) the last among them. */
export function spread<T>(items: readonly T[], count: number): T[] {
  if (count >= items.length) return [...items]
  const step = count === 1 ? 0 : (items.length - 1) / (count - 1)
  return Array.from({ length: count }, (_, index) => items[Math.round(index * step)]!)
}
