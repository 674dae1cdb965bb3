/** `pregen upload`: sends a finished tree, or mends the bucket's copy of it. */
import { openOutputFolder } from '../../artifacts/output-folder.ts'
import { PregenError } from '../../errors.ts'
import { embeddedModels } from '../../library/package.ts'
import { findBucket } from '../../run/bucket-target.ts'
import { createEventBus } from '../../run/event-bus.ts'
import { requireOutputFolder } from '../../tasks/existing-folder.ts'
import { sendTree } from '../../tasks/send-tree.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { createReporter } from '../reporters/create.ts'
import { formatBytes, plural } from '../reporters/format.ts'
import type { ReportFormat } from '../reporters/reporter.ts'
import { isCi, isDumbTerminal } from '../select-options.ts'
import { watchSignals } from '../signals.ts'

export interface UploadFlags {
  readonly sheet?: string
  readonly concurrency?: number
  readonly verifyRemote?: boolean
  readonly format: ReportFormat
}

export async function uploadCommand(dir: string, flags: UploadFlags): Promise<ExitCode> {
  const out = await openOutputFolder(await requireOutputFolder(dir))
  const settings = await findBucket(out, flags.sheet, process.env, embeddedModels)
  const signals = watchSignals((line) => void process.stderr.write(`${line}\n`))
  const bus = createEventBus()
  const streams = { stdout: process.stdout, stderr: process.stderr }
  const reporter = await createReporter(flags.format, streams, isCi() || isDumbTerminal())
  bus.subscribe(reporter.onEvent)
  try {
    const result = await sendTree({
      out,
      settings,
      concurrency: flags.concurrency ?? settings.concurrency,
      verifyRemote: flags.verifyRemote === true,
      emit: bus.emit,
      signal: signals.signal,
    })
    reporter.close()
    if (result.variants === 0 && result.problems.length === 0) {
      throw new PregenError('E_NOTHING_TO_UPLOAD', `${dir} holds nothing that pregen made.`, {
        help: 'Name the folder that a run wrote to with --out.',
      })
    }
    for (const { key, message } of result.problems) process.stderr.write(`on disk  ${key}: ${message}\n`)
    process.stderr.write(
      `${plural(result.uploaded, 'object')} (${formatBytes(result.uploadedBytes)}) sent, ${result.skipped} there already, ${result.failures.length} failed\n`,
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
