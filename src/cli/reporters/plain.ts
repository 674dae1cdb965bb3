/** One line an event that matters, on stderr: for CI logs and terminals that cannot draw. */

import { plural } from '../../printable.ts'
import { printLine } from '../print.ts'
import { describeChoice, describeEnd, describeTrouble } from './describe.ts'
import { formatDuration } from './format.ts'
import type { ReporterStreams, ReportView } from './reporter.ts'

export function createPlainView({ stderr }: ReporterStreams): ReportView {
  const line = (text: string) => printLine(stderr, text)
  return {
    draw(event, { counts, steps }) {
      for (const text of describeTrouble(event)) line(text)
      if (event.type === 'run-planned') {
        const shard = event.shard ? ` (shard ${event.shard})` : ''
        line(
          `${event.version}${shard}: ${plural(event.units, 'unit')}, ${event.skipped} already whole, ${plural(event.steps, 'step')} to do`,
        )
      } else if (event.type === 'provider-chosen') {
        for (const text of describeChoice(event)) line(text)
      } else if (event.type === 'model-loaded') {
        line(`${event.model} loaded on ${event.provider} in ${formatDuration(event.durationMs)}`)
      } else if (event.type === 'unit-finished') {
        const [ended, toDo] = [counts.done + counts.failed, counts.planned - counts.skipped]
        line(
          `[${ended}/${toDo}] ${event.cue}/${event.variant}  ${plural(event.files.length, 'file')}  ${formatDuration(event.durationMs)}`,
        )
      } else if (event.type === 'run-finished') {
        for (const text of describeEnd(event, steps.done)) line(text)
      }
    },
    close: () => {},
  }
}
