/** What draws a run. The run knows none of these; each gets every event, and the state that it leads to. */
import type { RunEvent } from '../../run/events.ts'
import type { RunState } from '../../run/state.ts'

export interface Reporter {
  /** Takes one event. */
  readonly onEvent: (event: RunEvent) => void
  /** Ends drawing (stops bars) after the last event. */
  readonly close: () => void
}

/** One way of drawing: it keeps no counts of its own. */
export interface ReportView {
  readonly draw: (event: RunEvent, state: RunState) => void
  readonly close: () => void
}

export interface ReporterStreams {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
}

export const REPORT_FORMATS = ['auto', 'pretty', 'plain', 'ndjson'] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]
