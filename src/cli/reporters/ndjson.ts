/** One JSON object a line on stdout, for machines. */
import type { RunEvent } from '../../run/events.ts'
import { conceal } from '../concealed.ts'
import { printJson } from '../print.ts'
import { messageOfEvent } from './describe.ts'
import type { ReporterStreams, ReportView } from './reporter.ts'

export function createNdjsonView({ stdout }: ReporterStreams): ReportView {
  return {
    draw: (event) => printJson(stdout, concealed(event)),
    close: () => {},
  }
}

/** Messages show what the sheet has; every other field is data, and exact. */
function concealed(event: RunEvent): RunEvent {
  if (!('message' in event)) return event
  const message = messageOfEvent(event)
  return 'help' in event ? { ...event, message, help: conceal(event.help) } : { ...event, message }
}
