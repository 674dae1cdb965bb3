/** The exit codes of every command; scripts and schedulers rely on them. */
import { PregenError, PregenErrors } from '../errors.ts'

export const EXIT = {
  ok: 0,
  bug: 1,
  usage: 2,
  someFailed: 3,
  /** As sysexits' EX_TEMPFAIL: the same command again goes on from here. */
  drained: 75,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The exit code for something thrown out of a command. */
export function exitCodeOf(thrown: unknown): ExitCode {
  if (thrown instanceof PregenError) return thrown.exitCode
  if (thrown instanceof PregenErrors) return EXIT.usage
  return EXIT.bug
}
