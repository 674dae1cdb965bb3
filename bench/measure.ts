/** Runs the command line once and reads its events: what one cell of the bench's table is made of. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { RunEvent } from '../src/run/events.ts'

export interface Measurement {
  readonly wallMs: number
  readonly modelLoadMs: number
  readonly sessionRunMs: number
  readonly peakRssBytes: number
  /** Of every `step` event. */
  readonly stepMs: readonly number[]
  /** When the steps of each picture ended, in milliseconds of the clock. */
  readonly stepEnds: readonly (readonly number[])[]
  /** Processor time of the threads that are there when the run ends: all but those of the models. NaN off Linux. */
  readonly ownCpuMs: number
  readonly previews: number
  readonly previewsFailed: number
  readonly uploaded: number
  /** From starting the process to its end, seen from outside. */
  readonly outsideMs: number
}

export interface MeasureOptions {
  readonly launcher: string
  readonly sheet: string
  readonly out: string
  readonly threads?: number | undefined
  readonly env: NodeJS.ProcessEnv
}

/** @throws Error with what the command printed, unless it exits with 0 after a `run-finished` without failures */
export async function measureRun({
  launcher,
  sheet,
  out,
  threads,
  env,
}: MeasureOptions): Promise<Measurement> {
  const flags = ['--out', out, '--format', 'ndjson', '--provider', 'cpu']
  if (threads !== undefined) flags.push('--threads', String(threads))
  const start = performance.now()
  const child = spawn(process.execPath, [launcher, 'run', sheet, '--allow-local-endpoint', ...flags], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  const closed = new Promise<number | null>((resolve, reject) => {
    child.on('close', resolve).on('error', reject)
  })
  const stepMs: number[] = []
  const stepEnds = new Map<string, number[]>()
  let ownCpuMs = Number.NaN
  let previews = 0
  let previewsFailed = 0
  let finished: Extract<RunEvent, { type: 'run-finished' }> | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const event: RunEvent = JSON.parse(line)
    if (event.type === 'step') {
      stepMs.push(event.durationMs)
      const ends = stepEnds.get(event.variant) ?? []
      stepEnds.set(event.variant, ends)
      ends.push(Date.parse(event.time))
    } else if (event.type === 'preview') previews++
    else if (event.type === 'preview-failed') previewsFailed++
    else if (event.type === 'run-finished') {
      finished = event
      ownCpuMs = threadsCpuMs(child.pid)
    } else if (event.type === 'unit-failed') complaints += `${event.code}: ${event.message}\n`
  }
  const code = await closed
  const outsideMs = performance.now() - start
  if (code !== 0 || !finished || finished.failed > 0) {
    throw new Error(`pregen run ${sheet} ended with ${code}:\n${complaints}`)
  }
  const { wallMs, modelLoadMs, sessionRunMs, peakRssBytes, uploaded } = finished
  return {
    wallMs,
    modelLoadMs,
    sessionRunMs,
    peakRssBytes,
    stepMs,
    stepEnds: [...stepEnds.values()],
    ownCpuMs,
    previews,
    previewsFailed,
    uploaded,
    outsideMs,
  }
}

/** What Linux's scheduler counts of a process's threads. Threads of models have ended before a run says that it has. */
function threadsCpuMs(pid: number | undefined): number {
  if (process.platform !== 'linux' || pid === undefined) return Number.NaN
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const spentNs = threads.map((thread) =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    )
    return spentNs.reduce((sum, ns) => sum + ns, 0) / 1e6
  } catch (error) {
    // The process may be gone already: this round has no figure then.
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ESRCH') return Number.NaN
    throw error
  }
}
