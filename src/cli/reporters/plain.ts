/** One line an event that matters, on stderr: for CI logs and terminals that cannot draw. */
import { printLine } from '../print.ts'
import { describeEnd, describeTrouble } from './describe.ts'
import { formatDuration, plural } from './format.ts'
import type { Reporter, ReporterStreams } from './reporter.ts'

export function createPlainReporter({ stderr }: ReporterStreams): Reporter {
  let toDo = 0
  let finished = 0
  let steps = 0
  const line = (text: string) => printLine(stderr, text)
  return {
    onEvent(event) {
      const trouble = describeTrouble(event)
      if (trouble) line(trouble)
      if (event.type === 'run-planned') {
        toDo = event.units - event.skipped
        const shard = event.shard ? ` (shard ${event.shard})` : ''
        line(
          `${event.version}${shard}: ${plural(event.units, 'unit')}, ${event.skipped} already whole, ${plural(event.steps, 'step')} to do`,
        )
      } else if (event.type === 'model-loaded') {
        line(`${event.model} loaded on ${event.provider} in ${formatDuration(event.durationMs)}`)
      } else if (event.type === 'step') {
        steps++
      } else if (event.type === 'unit-finished') {
        finished++
        line(
          `[${finished}/${toDo}] ${event.cue}/${event.variant}  ${plural(event.files.length, 'file')}  ${formatDuration(event.durationMs)}`,
        )
      } else if (event.type === 'unit-failed') {
        finished++
      } else if (event.type === 'run-finished') {
        for (const text of describeEnd(event, steps)) line(text)
      }
    },
    close: () => {},
  }
}
