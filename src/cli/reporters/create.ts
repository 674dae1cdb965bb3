/** Picks the way in which a run is shown: bars on a terminal, lines in a log, NDJSON when asked. */
import { reduce } from '../../run/reduce.ts'
import { INITIAL_STATE } from '../../run/state.ts'
import type { Reporter, ReporterStreams, ReportFormat, ReportView } from './reporter.ts'

/** @param withoutBars where bars would fill a log or cannot be drawn: a CI system, a dumb terminal */
export async function createReporter(
  format: ReportFormat,
  streams: ReporterStreams,
  withoutBars: boolean,
): Promise<Reporter> {
  const view = await createView(format, streams, withoutBars)
  let state = INITIAL_STATE
  return {
    onEvent(event) {
      state = reduce(state, event)
      view.draw(event, state)
    },
    close: view.close,
  }
}

async function createView(
  format: ReportFormat,
  streams: ReporterStreams,
  withoutBars: boolean,
): Promise<ReportView> {
  const shown = format === 'auto' ? (streams.stderr.isTTY && !withoutBars ? 'pretty' : 'plain') : format
  if (shown === 'ndjson') return (await import('./ndjson.ts')).createNdjsonView(streams)
  if (shown === 'pretty') return (await import('./pretty.ts')).createPrettyView(streams)
  return (await import('./plain.ts')).createPlainView(streams)
}
