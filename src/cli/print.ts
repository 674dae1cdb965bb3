/**
 * The one way from this program to a terminal or a log: lines, each made fit to be shown, and JSON. A test sees that
 * nothing else in the source writes to stdout or stderr, so that no text from outside gets around it.
 */
import { printable, printableJson } from '../printable.ts'

export interface LineSink {
  write(text: string): unknown
}

/** Writes lines. A line break within one came from outside and is shown, not made. */
export function printLines(sink: LineSink, lines: readonly string[]): void {
  if (lines.length > 0) sink.write(`${lines.map(printable).join('\n')}\n`)
}

export function printLine(sink: LineSink, line: string): void {
  sink.write(`${printable(line)}\n`)
}

/** Writes a value as JSON: on one line, or indented. */
export function printJson(sink: LineSink, value: unknown, indent?: number): void {
  sink.write(`${printableJson(value, indent)}\n`)
}

/** Takes a library's text of several lines. */
export function printBlock(sink: LineSink, text: string): void {
  printLines(sink, (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n'))
}
