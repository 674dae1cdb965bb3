/** The summary that ends a run: what its events come to, and what it cost. */
import { dirname } from 'node:path'
import type { Engine } from '../engine/engine.ts'
import type { WorkerFigures } from '../engine/rpc.ts'
import type { RunEventBody } from './events.ts'
import type { PreparedRun } from './prepared.ts'
import type { RunState } from './state.ts'

export type RunSummary = Omit<Extract<RunEventBody, { type: 'run-finished' }>, 'type'>

export interface RunEnd {
  readonly prepared: PreparedRun
  readonly state: RunState
  readonly cancelled: boolean
  /** Asked to finish what was in hand and to begin nothing more. */
  readonly draining: boolean
  readonly uploads: { readonly uploaded: number; readonly failed: number }
  readonly filmsFailed: number
  readonly modelLoadMs: number
  /** Of the engine, when the run began. */
  readonly before: WorkerFigures
  readonly engine: Engine
}

export function summarize(end: RunEnd): RunSummary {
  const { prepared, state, cancelled, draining, uploads, filmsFailed, modelLoadMs, before, engine } = end
  const { planned, done, skipped, failed } = state.counts
  const { sessionRunMs, peakRssBytes } = engine.figures()
  const left = planned - done - skipped - failed
  return {
    done,
    skipped,
    failed,
    left,
    cancelled,
    drained: draining && !cancelled && left > 0,
    uploaded: uploads.uploaded,
    uploadsFailed: uploads.failed,
    filmsFailed,
    wallMs: Math.round(performance.now() - prepared.startedAt),
    sessionRunMs: Math.round(sessionRunMs - before.sessionRunMs),
    modelLoadMs: Math.round(modelLoadMs),
    // Node gives kilobytes.
    peakRssBytes: process.resourceUsage().maxRSS * 1024 + peakRssBytes,
    provider: state.models.at(-1)?.provider ?? null,
    version: prepared.version,
    folder: dirname(prepared.layout.manifestPath),
  }
}

/** The exit code that a finished run stands for: 0 all done, 3 something failed, 75 drained with units left. */
export function exitCodeOfRun({ drained, failed, uploadsFailed, filmsFailed }: RunSummary): 0 | 3 | 75 {
  if (drained) return 75
  return failed + uploadsFailed + filmsFailed === 0 ? 0 : 3
}
