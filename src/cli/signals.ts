/**
 * SIGINT and SIGTERM: the first lets a run finish what is cheap, the second ends the process at once, and so
 * does time: CI systems kill what is still there seven seconds after a cancel.
 */
import { killAllWorkers } from '../engine/worker-process.ts'
import { errorCode, PregenError } from '../errors.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'

// Of the seven seconds that CI systems grant; the rest is for a busy machine.
const GRACE_MS = 5500

export interface SignalWatch {
  readonly signal: AbortSignal
  /** The exit code of the signal that came, or null. */
  readonly exitCode: () => ExitCode | null
  readonly close: () => void
}

/** @param say writes one line for the person who pressed Ctrl-C */
export function watchSignals(say: (line: string) => void): SignalWatch {
  const abort = new AbortController()
  let received: 'SIGINT' | 'SIGTERM' | null = null

  const onSignal = (name: 'SIGINT' | 'SIGTERM') => {
    if (received !== null) return endNow(name)
    received = name
    say(`${name}: finishing what is done; once more to end at once`)
    abort.abort(new PregenError('E_CANCELLED', `Cancelled by ${name}.`, { exitCode: 3 }))
    // A native call cannot be interrupted from JavaScript: after the grace the process ends by the signal itself.
    setTimeout(() => endNow(name), GRACE_MS).unref()
  }
  const onInt = () => onSignal('SIGINT')
  const onTerm = () => onSignal('SIGTERM')
  const close = () => {
    process.off('SIGINT', onInt)
    process.off('SIGTERM', onTerm)
  }
  const endNow = (name: 'SIGINT' | 'SIGTERM') => {
    close()
    killAllWorkers()
    process.kill(process.pid, name)
  }
  process.on('SIGINT', onInt)
  process.on('SIGTERM', onTerm)

  return {
    signal: abort.signal,
    exitCode: () => (received === null ? null : received === 'SIGINT' ? EXIT.interrupted : EXIT.terminated),
    close,
  }
}

/** Whether a command was ended by its signal, and not by a fault that came at the same time. */
export function isCancellation(error: unknown): boolean {
  return errorCode(error) === 'E_CANCELLED'
}
