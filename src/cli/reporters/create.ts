/** Picks the face of a run: bars on a terminal, lines in a log, NDJSON when asked. */
import type { Reporter, ReporterStreams, ReportFormat } from './reporter.ts'

/** @param withoutBars where bars would fill a log or cannot be drawn: a CI system, a dumb terminal */
export async function createReporter(
  format: ReportFormat,
  streams: ReporterStreams,
  withoutBars: boolean,
): Promise<Reporter> {
  const face = format === 'auto' ? (streams.stderr.isTTY && !withoutBars ? 'pretty' : 'plain') : format
  if (face === 'ndjson') return (await import('./ndjson.ts')).createNdjsonReporter(streams)
  if (face === 'pretty') return (await import('./pretty.ts')).createPrettyReporter(streams)
  return (await import('./plain.ts')).createPlainReporter(streams)
}
