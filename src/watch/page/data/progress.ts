/** A message of `WS /api/live`, and an answer of `GET /api/progress`. */
import { isRecord } from '../../player/timeline.ts'
import { finiteNumber, stringOrNull } from './show.ts'

export interface Progress {
  readonly active: boolean
  /** The run is over. */
  readonly completed: boolean
  readonly run: string | null
  readonly cue: string | null
  readonly variant: string | null
  readonly step: number | null
  readonly steps: number | null
  /** 0 … 1. */
  readonly progress: number | null
  readonly etaSeconds: number | null
  readonly imageId: number | null
  readonly imageUrl: string | null
}

/** null for anything else. */
export function readProgress(value: unknown): Progress | null {
  if (!isRecord(value) || typeof value.active !== 'boolean') return null
  return {
    active: value.active,
    completed: value.completed === true,
    run: stringOrNull(value.run),
    cue: stringOrNull(value.cue),
    variant: stringOrNull(value.variant),
    step: finiteNumber(value.step),
    steps: finiteNumber(value.steps),
    progress: finiteNumber(value.progress),
    etaSeconds: finiteNumber(value.eta_seconds),
    imageId: finiteNumber(value.image_id),
    imageUrl: stringOrNull(value.image_url),
  }
}
