/** A message of `WS /api/live`, and an answer of `GET /api/progress`. */
import { isRecord, numberOf, textOf } from './show.ts'

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
    run: textOf(value.run),
    cue: textOf(value.cue),
    variant: textOf(value.variant),
    step: numberOf(value.step),
    steps: numberOf(value.steps),
    progress: numberOf(value.progress),
    etaSeconds: numberOf(value.eta_seconds),
    imageId: numberOf(value.image_id),
    imageUrl: textOf(value.image_url),
  }
}
