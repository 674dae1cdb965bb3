/** `pregen verify --rerender K`: draws some finished units again, elsewhere, and compares the pictures. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PictureDifference } from '../artifacts/compare-png.ts'
import { PICTURE_BYTES, readFileInside } from '../artifacts/confined-files.ts'
import { confine } from '../artifacts/confinement.ts'
import { frameName, outputKindOf, POSTER_NAME } from '../artifacts/file-names.ts'
import type { Layout } from '../artifacts/layout.ts'
import { readLedger } from '../artifacts/ledger.ts'
import { messageOf, PregenError } from '../errors.ts'
import { type Unit, unitName } from '../plan/unit.ts'
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
  const chosen = evenlySpaced(finished, count)
  const scratch = await makeScratch()
  try {
    const again = await prepareRun({ ...options, outDir: scratch })
    const keys = new Set(chosen.map(({ key }) => key))
    const units = again.units.filter(({ key }) => keys.has(key))
    const dry = { ...options, outDir: scratch, dryRun: true, force: true }
    await conductRun({ prepared: { ...again, units }, options: dry, bus })
    return await Promise.all(chosen.map((entry) => compareUnit(entry, original.layout, again.layout)))
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

async function readIn({ out, filePath }: Layout, { cue, variant }: Unit, name: string): Promise<Uint8Array> {
  return (await readFileInside(confine(out), filePath(cue, variant, name), PICTURE_BYTES)).bytes
}

/** What is compared: the final picture; of a video each frame that is kept, or the first. */
function comparedNames({ output, frames, numFrames = 0 }: Unit): readonly string[] {
  const { name, encoder } = outputKindOf(output)
  if (encoder === undefined) return [name]
  return frames === true
    ? Array.from({ length: numFrames }, (_, index) => frameName(index + 1))
    : [POSTER_NAME]
}

async function compareUnit({ unit }: PreparedUnit, kept: Layout, drawn: Layout): Promise<RerenderResult> {
  const { compare } = outputKindOf(unit.output)
  const names = comparedNames(unit)
  let largest = 0
  let share = 0
  for (const name of names) {
    const [before, after] = await Promise.allSettled([readIn(kept, unit, name), readIn(drawn, unit, name)])
    if (before.status === 'rejected' || after.status === 'rejected') {
      return { unit: unitName(unit), difference: null, same: false }
    }
    const found = await compare(before.value, after.value)
    largest = Math.max(largest, found.largest)
    share += found.share / names.length
  }
  const difference = { largest, share }
  const same = difference.largest <= TOLERATED_LEVEL && difference.share <= TOLERATED_SHARE
  return { unit: unitName(unit), difference, same }
}

/** `count` items at even distances, the first and (from two on) the last among them. */
export function evenlySpaced<T>(items: readonly T[], count: number): T[] {
  if (count >= items.length) return [...items]
  const step = count === 1 ? 0 : (items.length - 1) / (count - 1)
  return Array.from({ length: count }, (_, index) => items[Math.round(index * step)]!)
}
