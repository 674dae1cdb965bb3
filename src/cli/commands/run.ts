/** `pregen run`: prepare, conduct, report. */
import { createStateLayout } from '../../artifacts/layout.ts'
import type { RequestedProvider } from '../../model/providers.ts'
import { createEventBus } from '../../run/bus.ts'
import { conductRun, exitCodeOfRun } from '../../run/conductor.ts'
import { refuseLockedOutput } from '../../run/lock-output.ts'
import type { RunOptions } from '../../run/options.ts'
import { prepareRun } from '../../run/prepare.ts'
import type { ExitCode } from '../exit-codes.ts'
import { printLine } from '../print.ts'
import { createReporter } from '../reporters/create.ts'
import type { ReportFormat } from '../reporters/reporter.ts'
import { faultsFromEnv, isCi, isDumbTerminal, type SelectFlags, toSelectOptions } from '../select-options.ts'
import { isCancellation, watchSignals } from '../signals.ts'

export interface RunFlags extends SelectFlags {
  readonly dryRun?: boolean
  readonly failFast?: boolean
  readonly provider?: RequestedProvider
  readonly deviceId?: number
  readonly threads?: number
  readonly concurrency?: number
  readonly liveFile?: boolean
  readonly verifyRemote?: boolean
  /** Tests only: whether PREGEN_FAULTS breaks the run. */
  readonly testFaults?: boolean
  readonly format: ReportFormat
}

/** @returns the exit code */
export async function runCommand(sheetPath: string, flags: RunFlags): Promise<ExitCode> {
  const streams = { stdout: process.stdout, stderr: process.stderr }
  const reporter = await createReporter(flags.format, streams, isCi() || isDumbTerminal())
  const signals = watchSignals((line) => printLine(process.stderr, line))
  const bus = createEventBus()
  bus.subscribe(reporter.onEvent)
  try {
    const options: RunOptions = {
      ...toSelectOptions(sheetPath, flags),
      dryRun: flags.dryRun === true,
      remoteImages: flags.dryRun === true && flags.fetch !== true ? 'refuse' : 'fetch',
      failFast: flags.failFast === true,
      provider: flags.provider,
      deviceId: flags.deviceId,
      threads: flags.threads,
      concurrency: flags.concurrency,
      liveFile: flags.liveFile === true,
      verifyRemote: flags.verifyRemote === true,
      signal: signals.signal,
      faults: flags.testFaults === true ? faultsFromEnv() : {},
    }
    // Before models are read: who is turned away need not wait for that.
    await refuseLockedOutput(createStateLayout(options.outDir).lockPath)
    const prepared = await prepareRun(options)
    const summary = await conductRun(prepared, options, bus.emit)
    return signals.exitCode() ?? exitCodeOfRun(summary)
  } catch (error) {
    const cancelled = signals.exitCode()
    if (cancelled !== null && isCancellation(error)) return cancelled
    throw error
  } finally {
    reporter.close()
    signals.close()
  }
}
