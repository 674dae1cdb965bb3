/** `pregen verify`: is the tree whole? in the bucket too? Does the model still draw it? */
import { resolve } from 'node:path'
import { createStateLayout } from '../../artifacts/layout.ts'
import { readLedger } from '../../artifacts/ledger.ts'
import { PregenError } from '../../errors.ts'
import type { RequestedProvider } from '../../model/providers.ts'
import { findBucket } from '../../run/bucket-target.ts'
import { createEventBus } from '../../run/bus.ts'
import { groupBy } from '../../run/group-by.ts'
import { openBucket } from '../../run/open-bucket.ts'
import { rerenderUnits } from '../../run/rerender.ts'
import { type VerifyProblem, verifyTree } from '../../storage/verify-tree.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { describeTrouble } from '../reporters/describe.ts'
import { plural } from '../reporters/format.ts'
import { toSelectOptions } from '../select-options.ts'
import { embeddedModels } from '../version.ts'

export interface VerifyFlags {
  readonly rerender?: number
  readonly versionId?: string
  readonly provider?: RequestedProvider
  readonly sheet?: string
  readonly bucket?: boolean
  readonly json?: boolean
}

export async function verifyCommand(dir: string, flags: VerifyFlags): Promise<ExitCode> {
  const out = resolve(dir)
  const ledger = await readLedger(createStateLayout(out).ledgerPath)
  const settings =
    flags.bucket === true ? await findBucket(out, flags.sheet, process.env, embeddedModels) : null
  const storage = settings === null ? undefined : await openBucket(settings, settings.concurrency)
  try {
    const result = await verifyTree({ out, ledger, storage })
    if (flags.json === true) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
    else {
      for (const line of describeProblems(result.problems)) process.stdout.write(`${line}\n`)
      const inBucket = result.objects === null ? '' : `, ${plural(result.objects, 'object')} in the bucket`
      const verdict = result.problems.length === 0 ? 'whole' : plural(result.problems.length, 'fault')
      process.stdout.write(
        `${plural(result.variants, 'variant')}, ${plural(result.files, 'file')}${inBucket}: ${verdict}\n`,
      )
    }
    const redrawn = flags.rerender === undefined ? true : await rerender(dir, flags, flags.rerender)
    return result.problems.length === 0 && redrawn ? EXIT.ok : EXIT.someFailed
  } finally {
    await storage?.close()
  }
}

/** Draws some units again; true when all came out the same. */
async function rerender(dir: string, flags: VerifyFlags, count: number): Promise<boolean> {
  if (flags.sheet === undefined) {
    throw new PregenError('E_NO_SHEET', '--rerender needs the sheet that the folder was made from.', {
      help: 'Name it with --sheet.',
    })
  }
  const options = toSelectOptions(flags.sheet, { out: dir, versionId: flags.versionId })
  const defaults = { dryRun: true, failFast: false, liveFile: false, verifyRemote: false, faults: {} }
  const bus = createEventBus()
  bus.subscribe((event) => {
    const trouble = describeTrouble(event)
    if (trouble !== null) process.stderr.write(`${trouble}\n`)
  })
  const signal = new AbortController().signal
  const results = await rerenderUnits(
    { ...options, ...defaults, provider: flags.provider, signal },
    count,
    bus.emit,
  )
  for (const { unit, difference, same } of results) {
    const found =
      difference === null
        ? 'could not be drawn'
        : `largest difference ${difference.largest} of 255, in ${(difference.share * 100).toFixed(2)} % of the values`
    process.stdout.write(`${same ? 'same' : 'DIFFERS'}  ${unit}  ${found}\n`)
  }
  return results.every(({ same }) => same)
}

// A bucket that lacks a version lacks thousands of objects: each folder shows its first few.
const SHOWN_PER_FOLDER = 3

function describeProblems(problems: readonly VerifyProblem[]): string[] {
  const folders = groupBy(problems, ({ where, key }) => `${where}  ${key.slice(0, key.lastIndexOf('/'))}`)
  return [...folders].flatMap(([folder, faults]) => [
    ...faults.slice(0, SHOWN_PER_FOLDER).map(({ where, key, message }) => `${where}  ${key}  ${message}`),
    ...(faults.length > SHOWN_PER_FOLDER
      ? [`${folder}/…  and ${faults.length - SHOWN_PER_FOLDER} more`]
      : []),
  ])
}
