/**
 * What a run has told so far. This file alone knows the lines of the run log: whatever reduces them better can take
 * its place behind `RunView` and `takeEvent`.
 */
import { type Fault, isRecord, keyOf, numberOf, readAxes, textOf } from './show.ts'

export type UnitState = 'waiting' | 'running' | 'done' | 'skipped' | 'failed'

export interface UnitView {
  readonly cue: string
  readonly variant: string
  program: string
  seed: string | null
  prompt: string | null
  axes: Readonly<Record<string, string>> | null
  state: UnitState
  /** Steps that will be executed; null before anything told them. */
  steps: number | null
  step: number
  /** Milliseconds of each step so far. */
  readonly stepMs: number[]
  /** Steps whose picture stands on disk. */
  readonly pictures: Set<number>
  readonly files: Set<string>
  durationMs: number | null
  device: string | null
  /** Time of the last event, which changes when it is drawn again. */
  mark: string
  fault: Fault | null
}

export interface DeviceView {
  readonly name: string
  /** Mean of the last steps, in milliseconds; null before the first. */
  stepMs: number | null
  current: string | null
}

export interface RunView {
  readonly id: string
  version: string | null
  /** Units in the order in which they were told. */
  readonly units: Map<string, UnitView>
  readonly devices: Map<string, DeviceView>
  /** Keys of units that ended well, the newest first. */
  readonly finished: string[]
  planned: number
  skipped: number
  done: number
  failed: number
  stepsPlanned: number
  stepsDone: number
  uploaded: number
  /** Objects that are to be sent in all; 0 where nothing told. */
  uploadsExpected: number
  readonly uploadFaults: { readonly key: string; readonly message: string }[]
  readonly warnings: string[]
  /** The newest unit that drew a step, where nothing else says what to look at. */
  current: string | null
  /** `run-finished` has come. */
  over: 'done' | 'partial' | 'cancelled' | 'drained' | null
  startedAt: string | null
  seq: number
}

export function createRunView(id: string): RunView {
  return {
    id,
    version: null,
    units: new Map(),
    devices: new Map(),
    finished: [],
    planned: 0,
    skipped: 0,
    done: 0,
    failed: 0,
    stepsPlanned: 0,
    stepsDone: 0,
    uploaded: 0,
    uploadsExpected: 0,
    uploadFaults: [],
    warnings: [],
    current: null,
    over: null,
    startedAt: null,
    seq: 0,
  }
}

/**
 * Takes one line of the log. Lines with a `seq` that was there already are passed over, so that a log may be read
 * again from its beginning.
 * @returns whether anything changed
 */
export function takeEvent(view: RunView, event: unknown): boolean {
  if (!isRecord(event) || typeof event.type !== 'string') return false
  const seq = numberOf(event.seq)
  if (seq !== null) {
    if (seq <= view.seq) return false
    view.seq = seq
  }
  const take = Object.hasOwn(TAKERS, event.type) ? TAKERS[event.type] : undefined
  if (take === undefined) return false
  view.startedAt ??= textOf(event.time)
  take(view, event)
  return true
}

type Taker = (view: RunView, event: Record<string, unknown>) => void

const TAKERS: Readonly<Record<string, Taker>> = {
  'run-planned': takePlan,
  'model-loaded': (view, event) => {
    const provider = textOf(event.device) ?? textOf(event.provider)
    if (provider !== null) deviceOf(view, provider)
  },
  'unit-started': (view, event) => {
    const unit = unitOf(view, event)
    if (unit === null) return
    unit.program = textOf(event.program) ?? unit.program
    unit.seed = textOf(event.seed) ?? unit.seed
    unit.steps = numberOf(event.steps) ?? unit.steps
    begin(view, unit, event)
  },
  'unit-restarted': (view, event) => {
    const unit = unitOf(view, event)
    if (unit === null) return
    view.stepsDone -= unit.step
    begin(view, unit, event)
  },
  step: (view, event) => {
    const unit = unitOf(view, event)
    const step = numberOf(event.step)
    if (unit === null || step === null) return
    unit.state = 'running'
    unit.step = step
    unit.steps = numberOf(event.steps) ?? unit.steps
    const durationMs = numberOf(event.durationMs)
    if (durationMs !== null) unit.stepMs[step - 1] = durationMs
    view.stepsDone += 1
    view.current = keyOf(unit)
    const name = textOf(event.device) ?? unit.device ?? view.devices.keys().next().value
    if (name === undefined || durationMs === null) return
    const device = deviceOf(view, name)
    device.current = keyOf(unit)
    device.stepMs = device.stepMs === null ? durationMs : device.stepMs * 0.9 + durationMs * 0.1
  },
  preview: (view, event) => {
    const step = numberOf(event.step)
    if (step !== null) unitOf(view, event)?.pictures.add(step)
  },
  'unit-finished': (view, event) => {
    const unit = unitOf(view, event)
    if (unit === null) return
    unit.state = 'done'
    unit.durationMs = numberOf(event.durationMs)
    unit.mark = markOf(event)
    for (const file of Array.isArray(event.files) ? event.files : []) {
      if (typeof file === 'string')
        unit.files.add(file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1))
    }
    view.done += 1
    view.finished.unshift(keyOf(unit))
    leave(view, unit)
  },
  'unit-failed': (view, event) => {
    const unit = unitOf(view, event)
    if (unit === null) return
    unit.state = 'failed'
    unit.fault = {
      stage: textOf(event.stage) ?? '',
      code: textOf(event.code) ?? '',
      message: textOf(event.message) ?? 'It failed without a message.',
      help: textOf(event.help) ?? '',
    }
    view.failed += 1
    leave(view, unit)
  },
  'unit-skipped': (view, event) => {
    const unit = unitOf(view, event)
    if (unit === null || unit.state === 'skipped') return
    unit.state = 'skipped'
    view.skipped = Math.max(view.skipped, countSkipped(view))
  },
  'uploads-expected': (view, event) => {
    view.uploadsExpected += numberOf(event.objects) ?? 0
  },
  'object-uploaded': (view) => {
    view.uploaded += 1
  },
  'upload-failed': (view, event) => {
    view.uploadFaults.push({ key: textOf(event.key) ?? '', message: textOf(event.message) ?? '' })
  },
  warning: (view, event) => {
    const message = textOf(event.message)
    if (message !== null) view.warnings.push(message)
  },
  'run-finished': (view, event) => {
    const failed = numberOf(event.failed) ?? view.failed
    view.over =
      event.cancelled === true
        ? 'cancelled'
        : event.drained === true
          ? 'drained'
          : failed > 0
            ? 'partial'
            : 'done'
    view.version = textOf(event.version) ?? view.version
    view.current = null
    for (const unit of view.units.values()) if (unit.state === 'running') unit.state = 'waiting'
    for (const device of view.devices.values()) device.current = null
  },
}

/** `units` is their number, `plan` their list. */
function takePlan(view: RunView, event: Record<string, unknown>): void {
  const list = Array.isArray(event.plan) ? event.plan : []
  for (const entry of list) {
    if (!isRecord(entry)) continue
    const unit = unitOf(view, entry)
    if (unit === null) continue
    unit.program = textOf(entry.program) ?? unit.program
    unit.steps = numberOf(entry.steps) ?? unit.steps
    unit.seed = textOf(entry.seed) ?? unit.seed
    unit.prompt = textOf(entry.prompt) ?? unit.prompt
    unit.axes = readAxes(entry.axes) ?? unit.axes
    if (entry.action === 'skip') unit.state = 'skipped'
  }
  view.version = textOf(event.version) ?? view.version
  view.planned = numberOf(event.units) ?? list.length
  view.skipped = numberOf(event.skipped) ?? countSkipped(view)
  view.stepsPlanned = numberOf(event.steps) ?? 0
}

function countSkipped(view: RunView): number {
  let skipped = 0
  for (const unit of view.units.values()) if (unit.state === 'skipped') skipped += 1
  return skipped
}

function unitOf(view: RunView, event: Record<string, unknown>): UnitView | null {
  const [cue, variant] = [textOf(event.cue), textOf(event.variant)]
  if (cue === null || variant === null) return null
  const key = keyOf({ cue, variant })
  const known = view.units.get(key)
  if (known) return known
  const unit: UnitView = {
    ...{ cue, variant, program: '', seed: null, prompt: null, axes: null },
    ...{ state: 'waiting', steps: null, step: 0, stepMs: [], pictures: new Set(), files: new Set() },
    ...{ durationMs: null, device: null, mark: '', fault: null },
  }
  view.units.set(key, unit)
  return unit
}

function deviceOf(view: RunView, name: string): DeviceView {
  const device = view.devices.get(name) ?? { name, stepMs: null, current: null }
  view.devices.set(name, device)
  return device
}

function begin(view: RunView, unit: UnitView, event: Record<string, unknown>): void {
  Object.assign(unit, { state: 'running', step: 0, fault: null, durationMs: null, mark: markOf(event) })
  unit.stepMs.length = 0
  unit.pictures.clear()
  unit.device = textOf(event.device)
  view.current = keyOf(unit)
  if (unit.device !== null) deviceOf(view, unit.device).current = keyOf(unit)
}

function leave(view: RunView, { cue, variant }: UnitView): void {
  const key = keyOf({ cue, variant })
  for (const device of view.devices.values()) if (device.current === key) device.current = null
  if (view.current === key) view.current = null
}

function markOf(event: Record<string, unknown>): string {
  const time = Date.parse(textOf(event.time) ?? '')
  return Number.isNaN(time) ? '' : time.toString(36)
}
