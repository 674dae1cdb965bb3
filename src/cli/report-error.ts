/** How a command's fault reaches a person: expected ones without a stack, bugs with one. */
import { formatError, formatErrors, PregenError, PregenErrors } from '../errors.ts'
import { conceal } from './concealed.ts'
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts'
import { type LineSink, printLines } from './print.ts'

/** Lines of a bug's stacks that are shown: causes may have causes. */
const MAX_STACK_LINES = 100

/** Writes the fault to stderr and gives the exit code. */
export function reportError(thrown: unknown, stderr: LineSink): ExitCode {
  const print = (lines: readonly string[]) => printLines(stderr, lines.map(conceal))
  if (thrown instanceof PregenErrors) {
    const { errors, more } = thrown
    const count = errors.length + more
    print([
      ...formatErrors(errors, more),
      '',
      `${count} ${count === 1 ? 'fault' : 'faults'}; nothing was run.`,
    ])
  } else if (thrown instanceof PregenError) {
    print(formatError(thrown).split('\n'))
  } else {
    const stack = stackOf(thrown)
    print([
      'E_BUG',
      '  This is a fault of pregen itself.',
      ...stack.slice(0, MAX_STACK_LINES),
      ...(stack.length > MAX_STACK_LINES ? [`and ${stack.length - MAX_STACK_LINES} more lines`] : []),
    ])
    return EXIT.bug
  }
  return exitCodeOf(thrown)
}

function stackOf(thrown: unknown): string[] {
  if (!(thrown instanceof Error)) return [String(thrown)]
  const lines = (thrown.stack ?? thrown.message).split('\n')
  return thrown.cause === undefined
    ? lines
    : [...lines, ...stackOf(thrown.cause).map((line, at) => (at === 0 ? `caused by: ${line}` : line))]
}
