/** `pregen run`: starts a run, in the foreground or the background, reports it and keeps its log. */
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openOutputFolder } from '../../artifacts/output-folder.ts'
import { errorCode } from '../../errors.ts'
import { pageFolder } from '../../library/package.ts'
import { createRunId } from '../../run/event-bus.ts'
import type { RunEvent } from '../../run/events.ts'
import { startRun } from '../../run/run.ts'
import { exitCodeOfRun } from '../../run/summary.ts'
import { RunList } from '../../watch/runs/run-list.ts'
import { waitForTurn } from '../../watch/runs/turn.ts'
import type { WatchServer } from '../../watch/server/start-server.ts'
import { EXIT, type ExitCode, exitCodeOf } from '../exit-codes.ts'
import { printLine } from '../print.ts'
import { createHashProgress } from '../progress.ts'
import { createReporter } from '../reporters/create.ts'
import { toRunArguments } from '../run-arguments.ts'
import type { RunFlags } from '../run-flags.ts'
import { createRunRecorder, type RunRecorder } from '../run-recorder.ts'
import { injectionFromEnv, isCi, isDumbTerminal, toSelectOptions } from '../select-options.ts'
import { readSheetInput } from '../sheet-input.ts'
import { isCancellation, type SignalWatch, watchSignals } from '../signals.ts'

/** @returns the exit code */
export async function runCommand(sheetPath: string, flags: RunFlags): Promise<ExitCode> {
  if (flags.detach === true) return await (await import('../detach.ts')).detachRun(sheetPath, flags)
  const id = flags.runId ?? createRunId(new Date())
  const recorder = createRunRecorder(flags.out, {
    ...{ id, sheet: sheetPath, detached: flags.runId !== undefined },
    options: toRunArguments(flags),
  })
  const say = (line: string) => printLine(process.stderr, line)
  const signals = watchSignals(say, {
    drain: flags.drain === true ? 'first' : 'asked',
    isDetached: flags.runId !== undefined,
    onForced: (code) => recorder.end(code),
  })
  let server: WatchServer | null = null
  try {
    if (flags.serve !== undefined) server = await serveBeside(flags.out, flags.serve, say)
    const input = readSheetInput(sheetPath)
    const code = await runInTurn({ sheetPath, input, flags, id, recorder, signals, say })
    await recorder.end(code)
    return code
  } catch (error) {
    const cancelled = signals.exitCode()
    if (cancelled !== null && (isCancellation(error) || signals.signal.aborted)) {
      await recorder.end(cancelled)
      return cancelled
    }
    await recorder.end(exitCodeOf(error), error)
    throw error
  } finally {
    await server?.close()
    signals.close()
  }
}

interface RunTurn {
  readonly sheetPath: string
  /** Read once, however often the folder turns out to be taken. */
  readonly input: ReturnType<typeof readSheetInput>
  readonly flags: RunFlags
  readonly id: string
  readonly recorder: RunRecorder
  readonly signals: SignalWatch
  readonly say: (line: string) => void
}

/** How long a run that waits leaves a folder alone that another holds. */
const LOCKED_PAUSE_MS = 500

async function runInTurn(turn: RunTurn): Promise<ExitCode> {
  const { flags, id, recorder, signals, say } = turn
  if (flags.wait !== true) return await runNow(turn)
  await openOutputFolder(flags.out)
  await recorder.takeUp()
  const signal = AbortSignal.any([signals.signal, signals.draining])
  const onQueue = (ahead: readonly string[]) => say(`${id} waits for ${ahead.join(', ')}`)
  for (;;) {
    try {
      await waitForTurn(new RunList(flags.out), id, { signal, onQueue })
    } catch (error) {
      // One that waits has nothing in hand.
      if (signals.draining.aborted && !signals.signal.aborted) return EXIT.drained
      throw error
    }
    try {
      return await runNow(turn)
    } catch (error) {
      // A run that did not wait in line came first.
      if (errorCode(error) !== 'E_LOCKED') throw error
      await sleep(LOCKED_PAUSE_MS, undefined, { signal: signals.signal })
    }
  }
}

async function runNow(turn: RunTurn): Promise<ExitCode> {
  const { sheetPath, flags, id, recorder, signals } = turn
  const streams = { stdout: process.stdout, stderr: process.stderr }
  const reporter = await createReporter(flags.format, streams, isCi() || isDumbTerminal())
  try {
    if (flags.wait === true) await recorder.begin()
    const hashing = await createHashProgress()
    const run = startRun({
      ...toSelectOptions(sheetPath, flags),
      ...(await turn.input),
      onHash: hashing.onHash,
      runId: id,
      dryRun: flags.dryRun === true,
      withoutTargets: flags.dryRun === true,
      remoteImages: flags.dryRun === true && flags.fetch !== true ? 'refuse' : 'fetch',
      failFast: flags.failFast === true,
      provider: flags.provider,
      devices: flags.devices ?? (flags.deviceId === undefined ? undefined : [flags.deviceId]),
      threads: flags.threads,
      batch: flags.batch,
      concurrency: flags.concurrency,
      liveFile: flags.liveFile === true,
      verifyRemote: flags.verifyRemote === true,
      pull: flags.pull === true,
      pageFolder,
      signal: signals.signal,
      draining: signals.draining,
      injection: flags.testFaults === true ? injectionFromEnv() : {},
    })
    run.subscribe((event: RunEvent) => {
      reporter.onEvent(event)
      recorder.onEvent(event)
    })
    const summary = await run.result
    return signals.exitCode() ?? exitCodeOfRun(summary)
  } finally {
    reporter.close()
  }
}

const USUAL_PORT = 4747

/** The server for as long as the run lasts. @throws PregenError `E_PORT_IN_USE` before any model loads */
async function serveBeside(
  out: string,
  port: number | true,
  say: (line: string) => void,
): Promise<WatchServer> {
  const { openServer } = await import('./serve.ts')
  const folder = await openOutputFolder(resolve(out))
  const usual = { host: '127.0.0.1', previewQuality: 75, previewSize: 512 }
  const server = await openServer(folder, { ...usual, port: port === true ? USUAL_PORT : port })
  say(`watch at ${server.url}`)
  return server
}
