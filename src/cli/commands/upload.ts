/** `pregen upload`: sends a finished tree, or mends the bucket's copy of it. */
import { openOutputFolder } from '../../artifacts/output-folder.ts'
import { PregenError } from '../../errors.ts'
import { findBucket } from '../../run/bucket-target.ts'
import { createEventBus } from '../../run/bus.ts'
import { requireOutputFolder } from '../../run/existing-folder.ts'
import { sendTree } from '../../run/send-tree.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printLine, printLines } from '../print.ts'
import { createReporter } from '../reporters/create.ts'
import { formatBytes, plural } from '../reporters/format.ts'
import type { ReportFormat } from '../reporters/reporter.ts'
import { isCi, type SheetFlags, toReadOptions } from '../select-options.ts'
import { watchSignals } from '../signals.ts'

export interface UploadFlags extends SheetFlags {
  readonly sheet?: string
  readonly concurrency?: number
  readonly verifyRemote?: boolean
  readonly format: ReportFormat
}

// A tree from elsewhere may be at fault in all of its files.
const SHOWN_PROBLEMS = 50

function describeProblems(problems: readonly { readonly key: string; readonly message: string }[]): string[] {
  const shown = problems.slice(0, SHOWN_PROBLEMS).map(({ key, message }) => `on disk  ${key}: ${message}`)
  const left = problems.length - shown.length
  return left === 0 ? shown : [...shown, `on disk  and ${left} more; "pregen verify" lists them`]
}

export async function uploadCommand(dir: string, flags: UploadFlags): Promise<ExitCode> {
  const out = await openOutputFolder(await requireOutputFolder(dir))
  const settings = await findBucket(out, flags.sheet, toReadOptions(flags))
  const signals = watchSignals((line) => printLine(process.stderr, line))
  const bus = createEventBus()
  const streams = { stdout: process.stdout, stderr: process.stderr }
  const reporter = await createReporter(flags.format, streams, isCi())
  bus.subscribe(reporter.onEvent)
  try {
    const result = await sendTree({
      out,
      settings,
      concurrency: flags.concurrency ?? settings.concurrency,
      verifyRemote: flags.verifyRemote === true,
      emit: bus.emit,
      signal: signals.signal,
      onExpected: reporter.expectUploads,
    })
    reporter.close()
    if (result.variants === 0 && result.problems.length === 0) {
      throw new PregenError('E_NOTHING_TO_UPLOAD', `${dir} holds nothing that pregen made.`, {
        help: 'Name the folder that a run wrote to with --out.',
      })
    }
    printLines(process.stderr, describeProblems(result.problems))
    printLine(
      process.stderr,
      `${plural(result.uploaded, 'object')} (${formatBytes(result.uploadedBytes)}) sent, ${result.skipped} there already, ${result.failures.length} failed`,
    )
    const cancelled = signals.exitCode()
    if (cancelled !== null) return cancelled
    return result.failures.length === 0 && result.problems.length === 0 && result.pending === 0
      ? EXIT.ok
      : EXIT.someFailed
  } finally {
    reporter.close()
    signals.close()
  }
}
