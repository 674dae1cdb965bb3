/** One JSON object a line on stdout: the machine's face of a run. */
import type { RunEvent } from '../../run/events.ts'
import { printJson } from '../print.ts'
import { messageOfEvent } from './describe.ts'
import type { Reporter, ReporterStreams } from './reporter.ts'

export function createNdjsonReporter({ stdout }: ReporterStreams): Reporter {
  return {
    onEvent: (event) => printJson(stdout, concealed(event)),
    close: () => {},
  }
}

/** Messages show what the sheet has; every other field is data, and exact. */
function concealed(event: RunEvent): RunEvent {
  return 'message' in event ? { ...event, message: messageOfEvent(event) } : event
}
