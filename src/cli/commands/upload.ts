/** `pregen upload`: sends a finished tree, or mends the bucket's copy of it. */
import { openOrigin } from '../../artifacts/origin.ts'
import { openOutputFolder } from '../../artifacts/output-folder.ts'
import type { SheetStorage } from '../../cue-sheet/sheet.ts'
import { PregenError } from '../../errors.ts'
import { stateFolder } from '../../library/home.ts'
import { pageFolder } from '../../library/package.ts'
import { plural } from '../../printable.ts'
import { findBucket, namedBucket, refuseForeignBucket } from '../../run/bucket-target.ts'
import { createEventBus } from '../../run/event-bus.ts'
import { requireOutputFolder } from '../../tasks/existing-folder.ts'
import { sendTree } from '../../tasks/send-tree.ts'
import { EXIT, type ExitCode, exitCodeOf } from '../exit-codes.ts'
import { printLine, printLines } from '../print.ts'
import { createReporter } from '../reporters/create.ts'
import { formatBytes } from '../reporters/format.ts'
import { toUploadArguments } from '../run-arguments.ts'
import { createRunRecorder } from '../run-recorder.ts'
import { isCi, isDumbTerminal, toEndpointPolicy, toReadOptions } from '../select-options.ts'
import { watchSignals } from '../signals.ts'
import type { UploadFlags } from '../upload-flags.ts'

/**
 * Where a tree goes: what the command line names, or what this user's own run left in it.
 * @throws PregenError `E_BUCKET_FOREIGN`, `E_NO_BUCKET`, `E_BAD_BUCKET`
 */
async function destinationOf(out: string, flags: UploadFlags): Promise<SheetStorage> {
  const { sheet, bucket, endpoint, region, prefix } = flags
  if (bucket !== undefined) return namedBucket({ bucket, endpoint, region, prefix })
  if ([endpoint, region, prefix].some((flag) => flag !== undefined)) {
    throw new PregenError(
      'E_NO_BUCKET',
      '--endpoint, --region and --prefix are of --bucket, which is missing.',
      {
        help: 'Name the bucket too, or the sheet alone with --sheet.',
      },
    )
  }
  if (sheet === undefined) await refuseForeignBucket(out, openOrigin(stateFolder(process.env)))
  return findBucket(out, sheet, toReadOptions(flags))
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
  const settings = await destinationOf(out, flags)
  const bus = createEventBus()
  const recorder = createRunRecorder(out, {
    ...{ id: bus.run, command: 'upload', sheet: flags.sheet ?? dir, detached: false },
    options: toUploadArguments(flags),
  })
  const signals = watchSignals((line) => printLine(process.stderr, line), {
    onForced: (code) => recorder.end(code),
  })
  const streams = { stdout: process.stdout, stderr: process.stderr }
  const reporter = await createReporter(flags.format, streams, isCi() || isDumbTerminal())
  bus.subscribe(reporter.onEvent)
  bus.subscribe(recorder.onEvent)
  try {
    const result = await sendTree({
      out,
      settings,
      policy: toEndpointPolicy(flags),
      concurrency: flags.concurrency ?? settings.concurrency,
      verifyRemote: flags.verifyRemote === true,
      isAll: flags.all === true,
      pageFolder,
      emit: bus.emit,
      signal: signals.signal,
      stateDir: stateFolder(process.env),
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
    const isWhole = result.failures.length === 0 && result.problems.length === 0 && result.pending === 0
    const code = signals.exitCode() ?? (isWhole ? EXIT.ok : EXIT.someFailed)
    await recorder.end(code)
    return code
  } catch (error) {
    await recorder.end(signals.exitCode() ?? exitCodeOf(error), error)
    throw error
  } finally {
    reporter.close()
    signals.close()
  }
}
