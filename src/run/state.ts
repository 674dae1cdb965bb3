/**
 * The state of a run, as its events tell it (`reduce` makes it). Reporters, `status` and the page draw from it, and none
 * counts for itself. Imports types alone, so that a page can have it too.
 */
import type { RunEvent } from './events.ts'

export type UnitStatus = 'queued' | 'drawing' | 'skipped' | 'done' | 'failed'

export interface UnitProgress {
  readonly cue: string
  readonly variant: string
  readonly program: string
  /** Of a matrix: its keys with this unit's values; null for any other. */
  readonly axes: Readonly<Record<string, string>> | null
  /** null before it is drawn. */
  readonly seed: string | null
  readonly status: UnitStatus
  /** The last step that is done; 0 before the first. */
  readonly step: number
  readonly steps: number
  /** Milliseconds of each step so far. */
  readonly stepMs: readonly number[]
  /** From its start to its last file, ms; null before it is done. */
  readonly durationMs: number | null
  /** When it was begun, begun anew or done last, ISO 8601; null before. */
  readonly changedAt: string | null
  /** What draws it, or drew it; null before. */
  readonly device: string | null
  /** Steps whose pictures stand on disk, with their paths, in the order in which they came. */
  readonly previews: readonly {
    readonly step: number
    readonly path: string
    /** Of a video whose previews move; else null. */
    readonly animation: string | null
  }[]
  readonly files: readonly string[]
  /** Of a video that is being decoded; null before, and for pictures. */
  readonly frames: { readonly done: number; readonly planned: number } | null
  readonly error: {
    readonly stage: string
    readonly code: string
    readonly message: string
    readonly help: string
  } | null
}

export interface ModelLoad {
  readonly model: string
  readonly provider: string
  readonly device: string
  readonly durationMs: number
}

export interface DeviceProgress {
  /** `cpu:0`, `cuda:1`, … */
  readonly name: string
  /** Mean time of its last steps, ms; null before the first. */
  readonly stepMs: number | null
  /** The unit that moved on it last and is not over, as `dawn/wide`. */
  readonly unit: string | null
}

type Finished = Extract<RunEvent, { type: 'run-finished' }>
type Warning = Pick<Extract<RunEvent, { type: 'warning' }>, 'code' | 'message'>
type UploadFault = Pick<Extract<RunEvent, { type: 'upload-failed' }>, 'key' | 'message'>

export interface RunState {
  readonly run: string | null
  /** Of the last event; 0 before the first. */
  readonly seq: number
  readonly startedAt: string | null
  readonly updatedAt: string | null
  readonly version: string | null
  readonly out: string | null
  /** `foigoi/<version>` */
  readonly prefix: string | null
  readonly shard: string | null
  readonly counts: {
    readonly planned: number
    readonly skipped: number
    readonly done: number
    readonly failed: number
  }
  /** Steps of the units that are drawn; those of a unit that begins again are taken back. */
  readonly steps: { readonly planned: number; readonly done: number }
  readonly uploads: { readonly expected: number; readonly sent: number; readonly failed: number }
  readonly models: readonly ModelLoad[]
  /** Names of the units that are being drawn, as `dawn/wide`. */
  readonly drawing: readonly string[]
  /** The unit that moved last, done or not. */
  readonly moving: string | null
  /** In the order in which they were heard of. */
  readonly devices: readonly DeviceProgress[]
  /** Mean time that units took beside their steps (decoding, writing), ms; null before the first. */
  readonly restMs: number | null
  /** Names of the last units that were done, the newest first. */
  readonly finished: readonly string[]
  readonly warnings: readonly Warning[]
  readonly uploadFaults: readonly UploadFault[]
  /** In pages, so that a step of one unit does not copy thousands: read with `unitsOf` and `unitOf`. */
  readonly pages: readonly (readonly UnitProgress[])[]
  /** Place of each unit in the order of the sheet, by its name. */
  readonly places: ReadonlyMap<string, number>
  /** null while the run goes on. */
  readonly end: Finished | null
}

export const INITIAL_STATE: RunState = {
  run: null,
  seq: 0,
  startedAt: null,
  updatedAt: null,
  version: null,
  out: null,
  prefix: null,
  shard: null,
  counts: { planned: 0, skipped: 0, done: 0, failed: 0 },
  steps: { planned: 0, done: 0 },
  uploads: { expected: 0, sent: 0, failed: 0 },
  models: [],
  drawing: [],
  moving: null,
  devices: [],
  restMs: null,
  finished: [],
  warnings: [],
  uploadFaults: [],
  pages: [],
  places: new Map(),
  end: null,
}

/** Units in a page. */
export const PAGE_UNITS = 64

/** Every unit, in the order of the sheet. */
export function unitsOf(state: RunState): readonly UnitProgress[] {
  return state.pages.flat()
}

/** @param name as `dawn/wide` */
export function unitOf(state: RunState, name: string): UnitProgress | null {
  const place = state.places.get(name)
  return place === undefined
    ? null
    : (state.pages[Math.floor(place / PAGE_UNITS)]?.[place % PAGE_UNITS] ?? null)
}

/** How a run ended, or null while it goes on. */
export function outcomeOf({
  end,
  counts,
}: RunState): 'done' | 'partial' | 'failed' | 'cancelled' | 'drained' | null {
  if (end === null) return null
  if (end.cancelled) return 'cancelled'
  if (end.drained) return 'drained'
  if (end.failed + end.uploadsFailed + end.filmsFailed === 0) return 'done'
  return counts.done + counts.skipped > 0 ? 'partial' : 'failed'
}

/** Milliseconds until the last unit is drawn; null before the first step. */
export function expectedLeftMs({ devices, steps, counts, restMs }: RunState): number | null {
  const measured = devices.flatMap(({ stepMs }) => (stepMs === null ? [] : [stepMs]))
  if (measured.length === 0) return null
  const stepsPerMs = measured.reduce((sum, stepMs) => sum + 1 / Math.max(stepMs, 0.01), 0)
  const units = Math.max(0, counts.planned - counts.skipped - counts.done - counts.failed)
  return Math.max(0, steps.planned - steps.done) / stepsPerMs + ((restMs ?? 0) * units) / measured.length
}
