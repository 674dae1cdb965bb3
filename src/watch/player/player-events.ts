/** What the element tells, and with which details. */

export interface StepDetail {
  /** From 1. */
  readonly step: number
  readonly steps: number
  /** Milliseconds since `play()`, or since the last `seek()`, at which timing.json has the step end. */
  readonly plannedMs: number
  /** The same by the clock. */
  readonly actualMs: number
}

export interface ReadyDetail {
  /** 0: there are no step pictures. */
  readonly steps: number
  readonly width: number
  readonly height: number
  /** Length of the replay at speed 1. */
  readonly durationMs: number
}

export interface PlayerErrorDetail {
  /** Which file, or null when nothing could be shown. */
  readonly file: string | null
  readonly message: string
}

export interface PregenPlayerEventMap {
  ready: CustomEvent<ReadyDetail>
  step: CustomEvent<StepDetail>
  final: CustomEvent<StepDetail>
  error: CustomEvent<PlayerErrorDetail>
}
