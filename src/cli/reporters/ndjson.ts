/** One JSON object a line on stdout, for machines. */
import type { ReporterStreams, ReportView } from './reporter.ts'

export function createNdjsonView({ stdout }: ReporterStreams): ReportView {
  return {
    draw: (event) => void stdout.write(`${JSON.stringify(event)}\n`),
    close: () => {},
  }
}
