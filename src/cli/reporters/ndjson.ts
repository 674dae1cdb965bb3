/** One JSON object a line on stdout: the machine's face of a run. */
import type { Reporter, ReporterStreams } from './reporter.ts'

export function createNdjsonReporter({ stdout }: ReporterStreams): Reporter {
  return {
    onEvent: (event) => void stdout.write(`${JSON.stringify(event)}\n`),
    close: () => {},
  }
}
