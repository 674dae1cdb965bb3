/** How a command's fault reaches a person: expected ones without a stack, bugs with one. */
import { formatError, PregenError, PregenErrors } from '../errors.ts'
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts'

/** Writes the fault to stderr and gives the exit code. */
export function reportError(thrown: unknown, write: (text: string) => void): ExitCode {
  if (thrown instanceof PregenErrors) {
    write(`${thrown.errors.map(formatError).join('\n\n')}\n`)
    write(`\n${thrown.errors.length} ${thrown.errors.length === 1 ? 'fault' : 'faults'}; nothing was run.\n`)
  } else if (thrown instanceof PregenError) {
    write(`${formatError(thrown)}\n`)
  } else {
    write(`E_BUG\n  This is a fault of pregen itself.\n${stackOf(thrown)}\n`)
    return EXIT.bug
  }
  return exitCodeOf(thrown)
}

function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const cause = thrown.cause === undefined ? '' : `\ncaused by: ${stackOf(thrown.cause)}`
  return `${thrown.stack ?? thrown.message}${cause}`
}
