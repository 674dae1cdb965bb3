/** What draws a run's events. The run knows none of these; each takes the same stream. */
import type { RunEvent } from '../../run/events.ts'

export interface Reporter {
  /** Takes one event. Must not throw. */
  readonly onEvent: (event: RunEvent) => void
  /** Told by `upload`, whose objects no unit announces: so many more (or fewer) are to be sent. */
  readonly expectUploads?: ((change: number) => void) | undefined
  /** Ends drawing (stops bars) after the last event. */
  readonly close: () => void
}

export interface ReporterStreams {
  readonly stdout: { write(text: string): unknown }
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
}

export const REPORT_FORMATS = ['auto', 'pretty', 'plain', 'ndjson'] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]
