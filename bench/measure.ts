/** Runs the command line once and reads its events: what one cell of the bench's table is made of. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { RunEvent } from '../src/run/events.ts'

export interface Measurement {
  readonly wallMs: number
  readonly modelLoadMs: number
  readonly sessionRunMs: number
  readonly peakRssBytes: number
  /** Of every `step` event. */
  readonly stepMs: readonly number[]
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
  const child = spawn(process.execPath, [launcher, 'run', sheet, ...flags], {
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
  let previews = 0
  let previewsFailed = 0
  let finished: Extract<RunEvent, { type: 'run-finished' }> | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const event: RunEvent = JSON.parse(line)
    if (event.type === 'step') stepMs.push(event.durationMs)
    else if (event.type === 'preview') previews++
    else if (event.type === 'preview-failed') previewsFailed++
    else if (event.type === 'run-finished') finished = event
    else if (event.type === 'unit-failed') complaints += `${event.code}: ${event.message}\n`
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
    previews,
    previewsFailed,
    uploaded,
    outsideMs,
  }
}
