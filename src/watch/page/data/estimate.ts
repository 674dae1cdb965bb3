/** How long a run and a picture will still take, from what its steps took so far. */
import type { RunView, UnitView } from './run-view.ts'

/** Mean of the last few steps, in milliseconds; null before the first. */
export function stepMsOf(unit: UnitView): number | null {
  const last = unit.stepMs.slice(-6).filter((durationMs) => durationMs !== undefined)
  return last.length === 0 ? null : last.reduce((sum, durationMs) => sum + durationMs, 0) / last.length
}

/** Milliseconds until the picture in the making has its last step; null where nothing tells. */
export function leftOfUnit(unit: UnitView): number | null {
  const stepMs = stepMsOf(unit)
  return stepMs === null || unit.steps === null ? null : Math.max(0, unit.steps - unit.step) * stepMs
}

/** Milliseconds until the run is over; null before anything was drawn. */
export function leftOfRun(view: RunView): number | null {
  const measured = [...view.devices.values()].flatMap(({ stepMs }) => (stepMs === null ? [] : [stepMs]))
  if (view.stepsPlanned === 0 || measured.length === 0) return null
  const stepsPerMs = measured.reduce((sum, stepMs) => sum + 1 / stepMs, 0)
  const left = Math.max(0, view.stepsPlanned - view.stepsDone)
  return left / stepsPerMs + restOf(view)
}

/** What units take beside their steps (decoding, writing), for those that are still to come. */
function restOf(view: RunView): number {
  const over: number[] = []
  let waiting = 0
  for (const unit of view.units.values()) {
    if (unit.state === 'waiting' || unit.state === 'running') waiting += 1
    if (unit.state !== 'done' || unit.durationMs === null || over.length >= 20) continue
    over.push(Math.max(0, unit.durationMs - unit.stepMs.reduce((sum, durationMs) => sum + durationMs, 0)))
  }
  const mean = over.length === 0 ? 0 : over.reduce((sum, rest) => sum + rest, 0) / over.length
  return (mean * waiting) / Math.max(1, view.devices.size)
}
