/** The manifest and what a run has told, as one list of variants. */
import type { RunView, UnitView } from './run-view.ts'
import { keyOf, NO_FACTS, type Show, type Variant, type VariantState } from './show.ts'

const STATES: Readonly<Record<UnitView['state'], VariantState>> = {
  waiting: 'waiting',
  running: 'running',
  done: 'done',
  skipped: 'done',
  failed: 'failed',
}

/**
 * Variants in the order of the sheet. What the manifest lists is there; what the run plans beside it waits, is being
 * drawn, or has failed.
 */
export function mergeRun(show: Show | null, run: RunView | null): readonly Variant[] {
  const listed = show?.variants ?? []
  if (run === null || (show !== null && run.version !== null && run.version !== show.version)) return listed
  const byKey = new Map(listed.map((variant) => [keyOf(variant), variant]))
  const merged = [...run.units.entries()].map(([key, unit]) => {
    const variant = byKey.get(key)
    byKey.delete(key)
    return variant === undefined ? fromUnit(unit) : withUnit(variant, unit)
  })
  if (byKey.size === listed.length) return [...listed, ...merged]
  // The plan has the order of the sheet; what it leaves out keeps its own place behind.
  return [...merged, ...byKey.values()]
}

function withUnit(variant: Variant, unit: UnitView): Variant {
  if (unit.state === 'skipped') return variant
  // A picture that waits to be made again is still the old one, and is shown.
  if (unit.state === 'waiting') return variant
  const mark = unit.state === 'done' && unit.mark !== '' ? unit.mark : variant.mark
  const hasTiming =
    unit.state === 'done' && unit.files.size > 0 ? unit.files.has('timing.json') : variant.hasTiming
  return { ...variant, state: STATES[unit.state], fault: unit.fault, mark, hasTiming }
}

/** The final file of a video. */
const MOVING = /^final\.(mp4|webm|webp|mov)$/

function fromUnit(unit: UnitView): Variant {
  const { cue, variant, program, prompt, axes, fault, mark, files } = unit
  const file = [...files].find((name) => MOVING.test(name)) ?? 'final.png'
  return {
    ...{ cue, variant, program, prompt, axes, fault, mark },
    type: file === 'final.png' ? 'image' : 'video',
    file,
    state: STATES[unit.state],
    index: Number.MAX_SAFE_INTEGER,
    negativePrompt: null,
    facts: {
      ...NO_FACTS,
      seed: unit.seed,
      steps: unit.steps,
      stepsExecuted: unit.steps,
      seconds: unit.durationMs === null ? null : unit.durationMs / 1000,
    },
    hasTiming: files.has('timing.json'),
    hasThumbnail: files.has('final.thumb.webp'),
  }
}
