/** Picks the face of a run: bars on a terminal, lines in a log, NDJSON when asked. */
import type { Reporter, ReporterStreams, ReportFormat } from './reporter.ts'

/** @param ci whether a CI system runs this, where bars would fill the log */
export async function createReporter(
  format: ReportFormat,
  streams: ReporterStreams,
  ci: boolean,
): Promise<Reporter> {
  const face = format === 'auto' ? (streams.stderr.isTTY && !ci ? 'pretty' : 'plain') : format
  if (face === 'ndjson') return (await import('./ndjson.ts')).createNdjsonReporter(streams)
  if (face === 'pretty') return (await import('./pretty.ts')).createPrettyReporter(streams)
  return (await import('./plain.ts')).createPlainReporter(streams)
}
