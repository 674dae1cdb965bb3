/** The manifest and what a run has told, as one list of variants. */
import { type RunState, type UnitProgress, type UnitStatus, unitsOf } from '../../../run/state.ts'
import { keyOf, NO_FACTS, type Show, type Variant, type VariantState } from './show.ts'

const STATES: Readonly<Record<UnitStatus, VariantState>> = {
  queued: 'waiting',
  drawing: 'running',
  done: 'done',
  skipped: 'done',
  failed: 'failed',
}

/**
 * Variants in the order of the sheet. What the manifest lists is there; what the run plans beside it waits, is being
 * drawn, or has failed.
 */
export function mergeRun(show: Show | null, run: RunState | null): readonly Variant[] {
  const listed = show?.variants ?? []
  if (run === null || (show !== null && run.version !== null && run.version !== show.version)) return listed
  const byKey = new Map(listed.map((variant) => [keyOf(variant), variant]))
  const merged = unitsOf(run).map((unit) => {
    const key = keyOf(unit)
    const variant = byKey.get(key)
    byKey.delete(key)
    return variant === undefined ? fromUnit(unit) : withUnit(variant, unit)
  })
  if (byKey.size === listed.length) return [...listed, ...merged]
  // The plan has the order of the sheet; what it leaves out keeps its own place behind.
  return [...merged, ...byKey.values()]
}

function withUnit(variant: Variant, unit: UnitProgress): Variant {
  const { status, error: fault } = unit
  // A picture that waits to be made again is still the old one, and is shown.
  if (status === 'skipped' || status === 'queued') return variant
  const state = STATES[status]
  if (status !== 'done') return { ...variant, state, fault }
  const mark = markOf(unit) || variant.mark
  const hasTiming = unit.files.length > 0 ? hasFile(unit, 'timing.json') : variant.hasTiming
  return { ...variant, state, fault, mark, hasTiming }
}

/** The final file of a video. */
const MOVING = /^final\.(mp4|webm|webp|mov)$/

function fromUnit(unit: UnitProgress): Variant {
  const { cue, variant, program, axes, error: fault } = unit
  const file = unit.files.map(nameOf).find((name) => MOVING.test(name)) ?? 'final.png'
  return {
    ...{ cue, variant, program, axes, fault, mark: markOf(unit), prompt: null },
    type: file === 'final.png' ? 'image' : 'video',
    file,
    state: STATES[unit.status],
    index: Number.MAX_SAFE_INTEGER,
    negativePrompt: null,
    facts: {
      ...NO_FACTS,
      seed: unit.seed,
      steps: unit.steps,
      stepsExecuted: unit.steps,
      seconds: unit.durationMs === null ? null : unit.durationMs / 1000,
    },
    hasTiming: hasFile(unit, 'timing.json'),
    hasThumbnail: hasFile(unit, 'final.thumb.webp'),
  }
}

/** Whether a file of this name is among those that a unit left. */
export function hasFile({ files }: UnitProgress, name: string): boolean {
  return files.some((file) => nameOf(file) === name)
}

/** Of a path of whatever system the run works on. */
function nameOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
}

/** Changes when the unit is drawn again. */
function markOf({ changedAt }: UnitProgress): string {
  const time = changedAt === null ? Number.NaN : Date.parse(changedAt)
  return Number.isNaN(time) ? '' : time.toString(36)
}
