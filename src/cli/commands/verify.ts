/** `pregen verify`: is the tree whole? in the bucket too? Does the model still draw it? */
import { createStateLayout } from '../../artifacts/layout.ts'
import { readLedger } from '../../artifacts/ledger.ts'
import { openOrigin } from '../../artifacts/origin.ts'
import { PregenError } from '../../errors.ts'
import { stateFolder } from '../../library/home.ts'
import type { RequestedProvider } from '../../model/providers.ts'
import { plural } from '../../printable.ts'
import { findBucket, isShardFolder, refuseForeignBucket } from '../../run/bucket-target.ts'
import { createEventBus } from '../../run/event-bus.ts'
import { groupBy } from '../../run/group-by.ts'
import { findRunAtWork } from '../../run/lock-output.ts'
import { openBucket } from '../../run/open-bucket.ts'
import { type VerifyProblem, verifyTree } from '../../storage/verify-tree.ts'
import { requireOutputFolder } from '../../tasks/existing-folder.ts'
import { type RerenderResult, rerenderUnits } from '../../tasks/rerender.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printJson, printLine, printLines } from '../print.ts'
import { describeTrouble } from '../reporters/describe.ts'
import {
  type EndpointFlags,
  injectionFromEnv,
  type SheetFlags,
  toEndpointPolicy,
  toReadOptions,
  toSelectOptions,
} from '../select-options.ts'
import { isCancellation, watchSignals } from '../signals.ts'

// A run outlasts an outage of minutes; someone who only looks should hear of one.
const LOOK_TIMEOUTS = { deadlineMs: 10_000 } as const

export interface VerifyFlags extends EndpointFlags, SheetFlags {
  readonly rerender?: number
  /** Tests only: whether PREGEN_FAULTS breaks the run. */
  readonly testFaults?: boolean
  readonly versionId?: string
  readonly provider?: RequestedProvider
  readonly sheet?: string
  readonly bucket?: boolean
  readonly json?: boolean
}

/**
 * @returns 0 when all is whole, else 3
 * @throws PregenError `E_NO_SHEET` for `--rerender` without `--sheet`
 */
export async function verifyCommand(dir: string, flags: VerifyFlags): Promise<ExitCode> {
  const rerender = rerenderOf(dir, flags)
  const out = await requireOutputFolder(dir)
  const state = createStateLayout(out)
  const ledger = await readLedger(state.ledgerPath)
  if (flags.bucket === true && flags.sheet === undefined) {
    await refuseForeignBucket(out, openOrigin(stateFolder(process.env)))
  }
  const settings = flags.bucket === true ? await findBucket(out, flags.sheet, toReadOptions(flags)) : null
  const storage =
    settings === null
      ? undefined
      : await openBucket(settings, {
          concurrency: settings.concurrency,
          timeouts: LOOK_TIMEOUTS,
          ...toEndpointPolicy(flags),
        })
  try {
    const isShard = storage !== undefined && (await isShardFolder(out))
    const result = await verifyTree({ out, ledger, storage, isShard })
    if (result.variants === 0 && result.problems.length === 0) {
      throw new PregenError('E_NOTHING_TO_VERIFY', `${dir} holds nothing that pregen made.`, {
        help: 'Name the folder that a run wrote to with --out.',
      })
    }
    if (flags.json !== true) {
      printLines(process.stdout, describeProblems(result.problems))
      const inBucket = result.objects === null ? '' : `, ${plural(result.objects, 'object')} in the bucket`
      const verdict = result.problems.length === 0 ? 'whole' : plural(result.problems.length, 'fault')
      printLine(
        process.stdout,
        `${plural(result.variants, 'variant')}, ${plural(result.files, 'file')}${inBucket}: ${verdict}`,
      )
    }
    if (result.problems.length > 0 && (await findRunAtWork(state.lockPath)) !== null) {
      printLine(
        process.stderr,
        'A run is at work in this folder: what it has in hand counts as a fault until it is done.',
      )
    }
    const redrawn = await rerender()
    // One document: what was drawn again is part of it.
    if (flags.json === true) printJson(process.stdout, { ...result, rerendered: redrawn.results }, 2)
    else printLines(process.stdout, redrawn.results?.map(lineOf) ?? [])
    return result.problems.length > 0 && redrawn.code === EXIT.ok ? EXIT.someFailed : redrawn.code
  } finally {
    await storage?.close()
  }
}

interface Redrawn {
  readonly code: ExitCode
  /** null: nothing was to be drawn, or a signal came before it was. */
  readonly results: readonly RerenderResult[] | null
}

/** What `--rerender` asks for, judged before the tree is read. */
function rerenderOf(dir: string, flags: VerifyFlags): () => Promise<Redrawn> {
  const { rerender: count, sheet } = flags
  if (count === undefined) return () => Promise.resolve({ code: EXIT.ok, results: null })
  if (sheet !== undefined) return () => rerender(dir, sheet, flags, count)
  throw new PregenError('E_NO_SHEET', '--rerender needs the sheet that the folder was made from.', {
    help: 'Name it with --sheet.',
  })
}

/** Draws some units again, and stops for signals as a run does; code 0 when all came out the same. */
async function rerender(dir: string, sheet: string, flags: VerifyFlags, count: number): Promise<Redrawn> {
  const options = toSelectOptions(sheet, { ...flags, out: dir })
  const defaults = {
    ...{ dryRun: true, failFast: false, liveFile: false, verifyRemote: false },
    injection: flags.testFaults === true ? injectionFromEnv() : {},
  }
  const bus = createEventBus()
  bus.subscribe((event) => {
    for (const text of describeTrouble(event)) printLine(process.stderr, text)
  })
  const signals = watchSignals((line) => printLine(process.stderr, line))
  try {
    const runOptions = { ...options, ...defaults, provider: flags.provider, signal: signals.signal }
    const results = await rerenderUnits(runOptions, count, bus)
    const cancelled = signals.exitCode()
    if (cancelled !== null) return { code: cancelled, results: null }
    return { code: results.every(({ same }) => same) ? EXIT.ok : EXIT.someFailed, results }
  } catch (error) {
    const cancelled = signals.exitCode()
    if (cancelled !== null && isCancellation(error)) return { code: cancelled, results: null }
    throw error
  } finally {
    signals.close()
  }
}

function lineOf({ unit, difference, same }: RerenderResult): string {
  const found =
    difference === null
      ? 'could not be drawn'
      : `largest difference ${difference.largest} of 255, in ${(difference.share * 100).toFixed(2)} % of the values`
  return `${same ? 'same' : 'DIFFERS'}  ${unit}  ${found}`
}

// A bucket that lacks a version lacks thousands of objects: each folder shows its first few.
const SHOWN_PER_FOLDER = 3
const SHOWN_LINES = 500

function describeProblems(problems: readonly VerifyProblem[]): string[] {
  const folders = groupBy(problems, ({ where, key }) => `${where}  ${key.slice(0, key.lastIndexOf('/'))}`)
  const lines = [...folders].flatMap(([folder, faults]) => [
    ...faults.slice(0, SHOWN_PER_FOLDER).map(({ where, key, message }) => `${where}  ${key}  ${message}`),
    ...(faults.length > SHOWN_PER_FOLDER
      ? [`${folder}/…  and ${faults.length - SHOWN_PER_FOLDER} more`]
      : []),
  ])
  if (lines.length <= SHOWN_LINES) return lines
  return [...lines.slice(0, SHOWN_LINES), `and ${lines.length - SHOWN_LINES} more lines; --json has all`]
}
