/** `pregen run`: starts a run and reports it. */
import type { RequestedProvider } from '../../model/providers.ts'
import { startRun } from '../../run/run.ts'
import { exitCodeOfRun } from '../../run/summary.ts'
import type { ExitCode } from '../exit-codes.ts'
import { printLine } from '../print.ts'
import { createReporter } from '../reporters/create.ts'
import type { ReportFormat } from '../reporters/reporter.ts'
import {
  injectionFromEnv,
  isCi,
  isDumbTerminal,
  type SelectFlags,
  toSelectOptions,
} from '../select-options.ts'
import { isCancellation, watchSignals } from '../signals.ts'

export interface RunFlags extends SelectFlags {
  readonly dryRun?: boolean
  readonly failFast?: boolean
  readonly provider?: RequestedProvider
  readonly deviceId?: number
  readonly devices?: readonly number[]
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
  try {
    const run = startRun({
      ...toSelectOptions(sheetPath, flags),
      dryRun: flags.dryRun === true,
      withoutTargets: flags.dryRun === true,
      remoteImages: flags.dryRun === true && flags.fetch !== true ? 'refuse' : 'fetch',
      failFast: flags.failFast === true,
      provider: flags.provider,
      devices: flags.devices ?? (flags.deviceId === undefined ? undefined : [flags.deviceId]),
      threads: flags.threads,
      concurrency: flags.concurrency,
      liveFile: flags.liveFile === true,
      verifyRemote: flags.verifyRemote === true,
      signal: signals.signal,
      injection: flags.testFaults === true ? injectionFromEnv() : {},
    })
    run.subscribe(reporter.onEvent)
    const summary = await run.result
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
