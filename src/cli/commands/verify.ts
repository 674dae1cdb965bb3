/** `pregen verify`: is the tree whole? in the bucket too? Does the model still draw it? */
import { resolve } from 'node:path'
import { createStateLayout } from '../../artifacts/layout.ts'
import { readLedger } from '../../artifacts/ledger.ts'
import { findBucket } from '../../run/bucket-target.ts'
import { groupBy } from '../../run/group-by.ts'
import { openBucket } from '../../run/sender.ts'
import { type VerifyProblem, verifyTree } from '../../storage/verify-tree.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { plural } from '../reporters/format.ts'
import { embeddedModels } from '../version.ts'

export interface VerifyFlags {
  readonly sheet?: string
  readonly bucket?: boolean
  readonly json?: boolean
}

export async function verifyCommand(dir: string, flags: VerifyFlags): Promise<ExitCode> {
  const out = resolve(dir)
  const ledger = await readLedger(createStateLayout(out).ledgerPath)
  const settings =
    flags.bucket === true || flags.sheet !== undefined
      ? await findBucket(out, flags.sheet, process.env, embeddedModels)
      : null
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
    return result.problems.length === 0 ? EXIT.ok : EXIT.someFailed
  } finally {
    await storage?.close()
  }
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
