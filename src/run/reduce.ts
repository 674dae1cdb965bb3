/**
 * From a run's state and an event to its next state: one pure function, which the run, its log's readers and the page
 * share. Imports types alone beside the state.
 */
import type { RunEvent } from './events.ts'
import { type DeviceProgress, PAGE_UNITS, type RunState, type UnitProgress, unitOf } from './state.ts'

/** Older warnings and names go: a state is no log. */
const MAX_KEPT = 100
/** Weight of the newest step: the last ten count most. */
const NEWEST = 0.15

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
      const models = [...state.models, { model, provider, device, durationMs }]
      return { ...state, models, devices: withDevice(state, device, {}) }
    }
    case 'warning': {
      const { code, message } = event
      return { ...state, warnings: [...state.warnings, { code, message }].slice(-MAX_KEPT) }
    }
    case 'unit-skipped':
      return withUnit(state, event, () => ({ status: 'skipped' }))
    case 'unit-started':
      return begun(state, event, { seed: event.seed, steps: event.steps })
    case 'unit-restarted': {
      const done = steps.done - (unitOf(state, nameOf(event))?.step ?? 0)
      return begun({ ...state, steps: { ...steps, done } }, event, {})
    }
    case 'step':
      return stepped(state, event)
    case 'preview':
      return withUnit(state, event, ({ previews }) => ({
        previews: [...previews, previewOf(event)],
      }))
    case 'unit-finished':
      return finished(state, event)
    case 'unit-failed': {
      const { stage, code, message, help } = event
      const error = { stage, code, message, help }
      // One that was finished may be found removed at the end.
      const undone = unitOf(state, nameOf(event))?.status === 'done' ? 1 : 0
      const done = counts.done - undone
      const ended = withUnit(state, event, () => ({ status: 'failed', error }))
      return left({ ...ended, counts: { ...counts, done, failed: counts.failed + 1 } }, event)
    }
    case 'uploads-expected':
      return { ...state, uploads: { ...uploads, expected: uploads.expected + event.objects } }
    case 'object-uploaded':
      return { ...state, uploads: { ...uploads, sent: uploads.sent + 1 } }
    case 'upload-failed': {
      const { key, message } = event
      const uploadFaults = [...state.uploadFaults, { key, message }].slice(-MAX_KEPT)
      return { ...state, uploads: { ...uploads, failed: uploads.failed + 1 }, uploadFaults }
    }
    case 'run-finished':
      return ended(state, event)
    case 'frame':
      return withUnit(state, event, () => ({ frames: { done: event.frame, planned: event.frames } }))
    case 'provider-chosen':
    case 'device-warmed':
    case 'batch-chosen':
    case 'preview-failed':
    case 'film-made':
    case 'film-failed':
      return state
    default:
      // A page that is older than its server passes over what it does not know.
      event satisfies never
      return state
  }
}

function planned(state: RunState, event: Extract<RunEvent, { type: 'run-planned' }>): RunState {
  const { version, out, prefix, shard, plan } = event
  const units = plan.map(
    ({ cue, variant, program, steps, action, axes = null }): UnitProgress => ({
      ...{ cue, variant, program, axes, steps, status: action === 'skip' ? 'skipped' : 'queued' },
      ...{ seed: null, changedAt: null, files: [], ...NOT_BEGUN, device: null },
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

// Logs of earlier releases know no animations.
function previewOf({ step, path, animation = null }: Extract<RunEvent, { type: 'preview' }>) {
  return { step, path, animation }
}

const NOT_BEGUN = { step: 0, stepMs: [], durationMs: null, previews: [], frames: null, error: null }

function begun(
  state: RunState,
  event: Extract<RunEvent, { type: 'unit-started' | 'unit-restarted' }>,
  facts: Partial<UnitProgress>,
): RunState {
  const name = nameOf(event)
  const { device, time } = event
  // A unit that begins again may have been in the hands of another device.
  const freed = left(state, event)
  const next = withUnit(freed, event, () => ({
    ...{ ...NOT_BEGUN, status: 'drawing', device, changedAt: time, ...facts },
  }))
  return {
    ...next,
    drawing: [...freed.drawing, name],
    moving: name,
    devices: withDevice(freed, device, { unit: name }),
  }
}

function stepped(state: RunState, event: Extract<RunEvent, { type: 'step' }>): RunState {
  const { step, steps, device, durationMs } = event
  const name = nameOf(event)
  const before = state.devices.find((each) => each.name === device)?.stepMs ?? null
  // A first step may hold what comes once: compilation, prompts.
  const stepMs = before === null ? durationMs : before + NEWEST * (durationMs - before)
  const next = withUnit(state, event, (unit) => ({ step, steps, stepMs: [...unit.stepMs, durationMs] }))
  return {
    ...next,
    moving: name,
    steps: { ...state.steps, done: state.steps.done + 1 },
    devices: withDevice(state, device, { stepMs, unit: name }),
  }
}

function finished(state: RunState, event: Extract<RunEvent, { type: 'unit-finished' }>): RunState {
  const { files, durationMs, time } = event
  const name = nameOf(event)
  const drawn = unitOf(state, name)?.stepMs ?? []
  const rest = Math.max(0, durationMs - drawn.reduce((sum, stepMs) => sum + stepMs, 0))
  const next = withUnit(state, event, () => ({ status: 'done', files, durationMs, changedAt: time }))
  return left(
    {
      ...next,
      counts: { ...state.counts, done: state.counts.done + 1 },
      restMs: state.restMs === null ? rest : state.restMs + NEWEST * (rest - state.restMs),
      finished: [name, ...state.finished].slice(0, MAX_KEPT),
    },
    event,
  )
}

/** Units in hand at a run's end, which a signal cut off, wait again. */
function ended(state: RunState, event: Extract<RunEvent, { type: 'run-finished' }>): RunState {
  const names = state.drawing
  const freed = names.reduce((before, name) => {
    const unit = unitOf(before, name)
    return unit === null ? before : withUnit(before, unit, () => ({ status: 'queued' }))
  }, state)
  const devices = state.devices.map((device) => ({ ...device, unit: null }))
  return { ...freed, drawing: [], devices, end: event }
}

function left(state: RunState, unit: Named): RunState {
  const name = nameOf(unit)
  return {
    ...state,
    drawing: state.drawing.filter((other) => other !== name),
    devices: state.devices.map((device) => (device.unit === name ? { ...device, unit: null } : device)),
  }
}

function withDevice(
  { devices }: RunState,
  name: string,
  changes: Partial<DeviceProgress>,
): readonly DeviceProgress[] {
  const place = devices.findIndex((device) => device.name === name)
  return place < 0
    ? [...devices, { name, stepMs: null, unit: null, ...changes }]
    : devices.with(place, { ...devices[place]!, ...changes })
}
