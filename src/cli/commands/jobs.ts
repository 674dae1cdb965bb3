/** `pregen jobs`, `pregen status`, `pregen cancel`: runs of an output folder, in the background or not. */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { PregenError } from '../../errors.ts'
import { cancelRun } from '../../watch/runs/cancel-run.ts'
import { findRun, RunList } from '../../watch/runs/run-list.ts'
import type { RunStatusJson, RunSummaryJson } from '../../watch/runs/run-status.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printJson, printLine, printLines } from '../print.ts'
import { formatDuration, formatTable } from '../reporters/format.ts'
import { watchSignals } from '../signals.ts'

export interface JobsFlags {
  readonly out: string
  readonly json?: boolean
  readonly watch?: boolean
  readonly drain?: boolean
}

export async function jobsCommand({ out, json }: JobsFlags): Promise<ExitCode> {
  const runs = await openRuns(out).summaries()
  if (json === true) printJson(process.stdout, runs, 2)
  else if (runs.length === 0) printLine(process.stderr, `${out} has seen no run yet.`)
  else
    printLines(
      process.stdout,
      formatTable(['run', 'state', 'units', 'done', 'failed', 'left', 'sheet'], runs.map(rowOf)),
    )
  return EXIT.ok
}

export async function statusCommand(id: string | undefined, flags: JobsFlags): Promise<ExitCode> {
  const runs = openRuns(flags.out)
  const run = await findRun(runs, id)
  const show = async (): Promise<RunStatusJson> => {
    const status = await runs.status(run)
    if (status === null) throw new PregenError('E_NO_RUN', `${runs.out} has no run ${run} any more.`)
    if (flags.json === true) printJson(process.stdout, status, flags.watch === true ? undefined : 2)
    else printLines(process.stdout, linesOf(status))
    return status
  }
  let status = await show()
  if (flags.watch !== true) return EXIT.ok
  const signals = watchSignals(() => undefined)
  let shown = JSON.stringify(status)
  try {
    while ((status.state === 'queued' || status.state === 'running') && !signals.signal.aborted) {
      await sleep(WATCH_MS, undefined, { signal: signals.signal }).catch(() => undefined)
      const next = JSON.stringify(await runs.status(run))
      if (next === shown) continue
      shown = next
      status = await show()
    }
    return signals.exitCode() ?? EXIT.ok
  } finally {
    signals.close()
  }
}

const WATCH_MS = 500

export async function cancelCommand(id: string, flags: JobsFlags): Promise<ExitCode> {
  const runs = openRuns(flags.out)
  const run = await findRun(runs, id)
  const drains = flags.drain === true
  const { state } = await cancelRun(runs, run, undefined, drains ? 'SIGUSR1' : 'SIGTERM')
  const words =
    state === 'running'
      ? drains
        ? 'told to finish the pictures in hand, then to stop'
        : 'told to end: it writes what is done, then stops'
      : state === 'cancelled' || state === 'drained'
        ? state
        : `it had ended already: ${state}`
  printLine(process.stderr, `${run}: ${words}`)
  return EXIT.ok
}

function openRuns(out: string): RunList {
  if (existsSync(out)) return new RunList(out)
  throw new PregenError('E_NO_RUN', `There is no folder ${out}: no run has written there.`, {
    help: 'Name the output folder of the run with --out.',
  })
}

function rowOf(run: RunSummaryJson): string[] {
  const place = run.position === null ? '' : ` (${run.position}.)`
  return [
    run.id,
    `${run.state}${place}`,
    run.units === null ? '–' : String(run.units),
    String(run.done + run.skipped),
    String(run.failed),
    String(run.left),
    run.command === 'upload' ? `${run.sheet} (upload)` : run.sheet,
  ]
}

/** A run in words, for a terminal. */
function linesOf(status: RunStatusJson): string[] {
  const { state, position, current, eta_seconds: eta } = status
  const place = position === null ? '' : `, ${position === 1 ? 'next' : `${position}. in the queue`}`
  const lines = [
    `${status.id}  ${state}${place}${status.pid !== null && (state === 'running' || state === 'queued') ? `  pid ${status.pid}` : ''}`,
    `  ${status.command === 'upload' ? 'upload' : 'sheet '}   ${status.sheet}${status.version === null ? '' : `, version ${status.version}`}`,
  ]
  if (status.command === 'run') {
    const { units, done, skipped, failed, left } = status
    lines.push(`  units    ${units ?? '?'}: ${done} done, ${skipped} skipped, ${failed} failed, ${left} left`)
  }
  if (status.uploads.expected > 0) {
    const { sent, expected, failed } = status.uploads
    lines.push(`  uploads  ${sent} of ${expected} sent${failed > 0 ? `, ${failed} failed` : ''}`)
  }
  for (const unit of status.drawing) {
    lines.push(
      `  drawing  ${unit.cue}/${unit.variant}, step ${unit.step} of ${unit.steps}${unit.device ? ` on ${unit.device}` : ''}`,
    )
  }
  const newest = current?.pictures.at(-1)
  if (newest) lines.push(`  picture  ${newest.url ?? newest.path}`)
  if (state === 'running' || state === 'queued')
    lines.push(`  left     ${eta === null ? 'unknown' : formatDuration(eta * 1000)}`)
  if (status.url !== null) lines.push(`  page     ${status.url}`)
  for (const { cue, variant, message } of status.failures)
    lines.push(`  failed   ${cue}/${variant}: ${message}`)
  if (status.error) {
    lines.push(`  error    ${status.error.code}: ${status.error.message}`)
    if (status.error.help) lines.push(`           ${status.error.help}`)
  }
  if (state !== 'done' && state !== 'running' && state !== 'queued')
    lines.push(`  go on    ${status.continue_command}`)
  return lines
}
