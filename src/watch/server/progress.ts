/** Where a run stands, as viewers are told: one small message a step. */
import { basename, isAbsolute, join, relative, sep } from 'node:path'
import { outputKindOfFile } from '../../artifacts/file-names.ts'
import type { RunEvent } from '../../run/events.ts'
import { expectedLeftMs, unitOf } from '../../run/state.ts'
import type { RunFollower } from '../runs/follow-run.ts'

/** The newest picture of a run. */
export interface LivePicture {
  /** Rises from picture to picture of one run. */
  readonly id: number
  /** On disk, absolute. */
  readonly path: string
  readonly cue: string
  readonly variant: string
  /** 0 for a finished picture without steps of its own. */
  readonly step: number
  readonly isFinal: boolean
}

export interface ProgressMessage {
  readonly type: 'progress'
  /** Whether the run is at work. */
  readonly active: boolean
  /** It has ended as it should. */
  readonly completed: boolean
  readonly run: string
  readonly cue: string | null
  readonly variant: string | null
  readonly step: number | null
  readonly steps: number | null
  /** Of the picture in the making, 0 to 1; 1 when the run is over. */
  readonly progress: number
  /** Until the run's end; null: unknown. */
  readonly eta_seconds: number | null
  readonly image_id: number | null
  readonly image_url: string | null
  readonly device: string | null
  readonly done: number
  readonly units: number
}

/** Follows a run and keeps what a late comer is told. */
export class ProgressSource {
  readonly follower: RunFollower
  picture: LivePicture | null = null
  readonly #out: string
  readonly #unsubscribe: () => void

  constructor(follower: RunFollower, out: string) {
    this.follower = follower
    this.#out = out
    this.#unsubscribe = follower.subscribe((event) => this.#take(event))
  }

  close(): void {
    this.#unsubscribe()
  }

  /** @param isGoing whether its process is still there */
  progress(isGoing: boolean): ProgressMessage {
    const { state, id } = this.follower
    const unit = state.moving === null ? null : unitOf(state, state.moving)
    const active = isGoing && state.end === null
    const completed = state.end !== null && !state.end.cancelled
    const leftMs = active ? expectedLeftMs(state) : null
    const { counts } = state
    return {
      type: 'progress',
      active,
      completed,
      run: id,
      cue: unit?.cue ?? null,
      variant: unit?.variant ?? null,
      step: unit?.step ?? null,
      steps: unit?.steps ?? null,
      progress: completed ? 1 : unit === null || unit.steps === 0 ? 0 : unit.step / unit.steps,
      eta_seconds: leftMs === null ? null : Math.round(leftMs / 100) / 10,
      image_id: this.picture?.id ?? null,
      image_url: this.picture === null ? null : this.urlOf(this.picture.path),
      device: unit?.device ?? null,
      done: counts.done + counts.skipped,
      units: counts.planned,
    }
  }

  /** Address of a published file; null for a picture that is not published (`.pregen/live`). */
  urlOf(path: string): string | null {
    const key = relative(this.#out, path).split(sep)
    if (key[0] === '..' || key[0] === '.pregen') return null
    return `/files/${key.map(encodeURIComponent).join('/')}`
  }

  #take(event: RunEvent): void {
    if (event.type === 'preview') {
      const { seq: id, path, cue, variant, step } = event
      this.picture = { id, path, cue, variant, step, isFinal: false }
    } else if (event.type === 'unit-finished') {
      const { seq: id, cue, variant, files } = event
      const final = files.find((file) => outputKindOfFile(basename(file)) !== undefined)
      if (final === undefined) return
      const step = unitOf(this.follower.state, `${cue}/${variant}`)?.steps ?? 0
      this.picture = { id, path: this.#pathOf(final, cue, variant), cue, variant, step, isFinal: true }
    }
  }

  #pathOf(file: string, cue: string, variant: string): string {
    return isAbsolute(file)
      ? file
      : join(this.#out, this.follower.state.prefix ?? '', 'cues', cue, variant, file)
  }
}
