/**
 * The state of a run, as its events tell it: one pure function from a state and an event to the next state. Reporters,
 * `status` and the page draw from it, and none counts for itself. Imports types alone, so that a page can have it too.
 */
import type { RunEvent } from './events.ts'

export type UnitStatus = 'queued' | 'drawing' | 'skipped' | 'done' | 'failed'

export interface UnitProgress {
  readonly cue: string
  readonly variant: string
  readonly program: string
  readonly status: UnitStatus
  /** The last step that is done; 0 before the first. */
  readonly step: number
  readonly steps: number
  /** What draws it, or drew it; null before. */
  readonly device: string | null
  /** Steps whose pictures stand on disk, with their paths, in the order in which they came. */
  readonly previews: readonly { readonly step: number; readonly path: string }[]
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

export interface LoadedModel {
  readonly model: string
  readonly provider: string
  readonly device: string
  readonly durationMs: number
}

type Finished = Extract<RunEvent, { type: 'run-finished' }>
type Warning = Pick<Extract<RunEvent, { type: 'warning' }>, 'code' | 'message'>

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
  readonly models: readonly LoadedModel[]
  /** Names of the units that are being drawn, as `dawn/wide`. */
  readonly drawing: readonly string[]
  readonly warnings: readonly Warning[]
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
  warnings: [],
  pages: [],
  places: new Map(),
  end: null,
}

/** Older ones go: a state is no log. */
const MAX_WARNINGS = 100
const PAGE_UNITS = 64

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

/** The state after an event. An event that was seen before, by its `seq`, changes nothing. */
export function reduce(state: RunState, event: RunEvent): RunState {
  if (event.run === state.run && event.seq <= state.seq) return state
  const { run, seq, time } = event
  return change({ ...state, run, seq, startedAt: state.startedAt ?? time, updatedAt: time }, event)
}

function change(state: RunState, event: RunEvent): RunState {
  const { counts, steps, uploads } = state
  switch (event.type) {
    case 'run-planned':
      return planned(state, event)
    case 'model-loaded': {
      const { model, provider, device, durationMs } = event
      return { ...state, models: [...state.models, { model, provider, device, durationMs }] }
    }
    case 'warning': {
      const { code, message } = event
      return { ...state, warnings: [...state.warnings, { code, message }].slice(-MAX_WARNINGS) }
    }
    case 'provider-chosen':
    case 'device-warmed':
      return state
    case 'unit-skipped':
      return withUnit(state, event, () => ({ status: 'skipped' }))
    case 'unit-started':
      return drawn(
        withUnit(state, event, () => ({ status: 'drawing', device: event.device })),
        event,
      )
    case 'unit-restarted': {
      const done = steps.done - (unitOf(state, nameOf(event))?.step ?? 0)
      const begun = withUnit(state, event, () => ({
        ...{ status: 'drawing', device: event.device, step: 0, previews: [], frames: null, error: null },
      }))
      return drawn({ ...begun, steps: { ...steps, done } }, event)
    }
    case 'step':
      return withUnit({ ...state, steps: { ...steps, done: steps.done + 1 } }, event, () => ({
        step: event.step,
        steps: event.steps,
      }))
    case 'preview':
      return withUnit(state, event, ({ previews }) => ({
        previews: [...previews, { step: event.step, path: event.path }],
      }))
    case 'unit-finished': {
      const ended = withUnit(state, event, () => ({ status: 'done', files: event.files }))
      return notDrawn({ ...ended, counts: { ...counts, done: counts.done + 1 } }, event)
    }
    case 'unit-failed': {
      const { stage, code, message, help } = event
      const error = { stage, code, message, help }
      // One that was finished may be found removed at the end.
      const undone = unitOf(state, nameOf(event))?.status === 'done' ? 1 : 0
      const ended = withUnit(state, event, () => ({ status: 'failed', error }))
      const { done, failed } = counts
      return notDrawn({ ...ended, counts: { ...counts, done: done - undone, failed: failed + 1 } }, event)
    }
    case 'uploads-expected':
      return { ...state, uploads: { ...uploads, expected: uploads.expected + event.objects } }
    case 'object-uploaded':
      return { ...state, uploads: { ...uploads, sent: uploads.sent + 1 } }
    case 'upload-failed':
      return { ...state, uploads: { ...uploads, failed: uploads.failed + 1 } }
    case 'run-finished':
      return { ...state, drawing: [], end: event }
    case 'frame':
      return withUnit(state, event, () => ({ frames: { done: event.frame, planned: event.frames } }))
    case 'preview-failed':
    case 'film-made':
    case 'film-failed':
      return state
  }
}

function planned(state: RunState, event: Extract<RunEvent, { type: 'run-planned' }>): RunState {
  const { version, out, prefix, shard, plan } = event
  const units = plan.map(
    ({ cue, variant, program, steps, action }): UnitProgress => ({
      ...{ cue, variant, program, steps, status: action === 'skip' ? 'skipped' : 'queued' },
      ...{ step: 0, device: null, previews: [], files: [], frames: null, error: null },
    }),
  )
  const pages: UnitProgress[][] = []
  for (let from = 0; from < units.length; from += PAGE_UNITS) pages.push(units.slice(from, from + PAGE_UNITS))
  return {
    ...state,
    ...{ version, out, prefix, shard, pages },
    places: new Map(units.map((unit, place) => [nameOf(unit), place])),
    counts: { ...state.counts, planned: event.units, skipped: event.skipped },
    steps: { ...state.steps, planned: event.steps },
  }
}

interface Named {
  readonly cue: string
  readonly variant: string
}

const nameOf = ({ cue, variant }: Named) => `${cue}/${variant}`

function withUnit(
  state: RunState,
  unit: Named,
  changes: (before: UnitProgress) => Partial<UnitProgress>,
): RunState {
  const place = state.places.get(nameOf(unit))
  const before = unitOf(state, nameOf(unit))
  if (place === undefined || before === null) return state
  const page = Math.floor(place / PAGE_UNITS)
  const units = state.pages[page]!.with(place % PAGE_UNITS, { ...before, ...changes(before) })
  return { ...state, pages: state.pages.with(page, units) }
}

function drawn(state: RunState, unit: Named): RunState {
  const others = state.drawing.filter((name) => name !== nameOf(unit))
  return { ...state, drawing: [...others, nameOf(unit)] }
}

function notDrawn(state: RunState, unit: Named): RunState {
  return { ...state, drawing: state.drawing.filter((name) => name !== nameOf(unit)) }
}
