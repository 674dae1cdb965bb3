/** The counts and times of a run, and the summary that ends it. */
import { dirname } from 'node:path'
import type { RunEventBody } from './events.ts'
import type { PreparedRun } from './prepared.ts'

export type RunSummary = Omit<Extract<RunEventBody, { type: 'run-finished' }>, 'type'>

export interface Tally {
  readonly countDone: () => void
  readonly countFailed: () => void
  readonly failed: () => number
  readonly addModelLoadMs: (durationMs: number) => void
  readonly modelLoadMs: () => number
  readonly setSessionRunMs: (durationMs: number) => void
  readonly setProvider: (provider: string) => void
  readonly finish: (end: RunEnd) => RunSummary
}

export interface RunEnd {
  /** Units of the plan. */
  readonly planned: number
  readonly skipped: number
  readonly cancelled: boolean
  readonly uploads: { readonly uploaded: number; readonly failed: number }
  readonly prepared: PreparedRun
}

/** @param startedAt `performance.now()` at the run's start */
export function createTally(startedAt: number): Tally {
  let done = 0
  let failed = 0
  let loadMs = 0
  let sessionRunMs = 0
  let provider: string | null = null
  return {
    countDone: () => void done++,
    countFailed: () => void failed++,
    failed: () => failed,
    addModelLoadMs(durationMs) {
      loadMs += durationMs
    },
    modelLoadMs: () => loadMs,
    setSessionRunMs(durationMs) {
      sessionRunMs = durationMs
    },
    setProvider(name) {
      provider = name
    },
    finish: ({ planned, skipped, cancelled, uploads, prepared }) => ({
      done,
      skipped,
      failed,
      left: planned - done - skipped - failed,
      cancelled,
      uploaded: uploads.uploaded,
      uploadsFailed: uploads.failed,
      wallMs: Math.round(performance.now() - startedAt),
      sessionRunMs: Math.round(sessionRunMs),
      modelLoadMs: Math.round(loadMs),
      // Node gives kilobytes.
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      provider,
      version: prepared.version,
      folder: dirname(prepared.layout.manifestPath),
    }),
  }
}
