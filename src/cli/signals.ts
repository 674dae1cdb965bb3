/**
 * Signals that end a command: the first lets it finish what is cheap, the second ends the process at once, and so does
 * time: CI systems kill what is still there seven seconds after a cancel. Ended at once are the workers, whose native calls nobody can
 * interrupt; what waited for them ends by itself then, and the process by the signal where it does not. Those that drain a run let it finish the
 * pictures in hand first, however long that takes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { killAllWorkers } from '../engine/worker-process.ts'
import { errorCode, PregenError } from '../errors.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { ignoresHangup } from './hangup.ts'

// Of the seven seconds that CI systems grant; the rest is for a busy machine.
const GRACE_MS = 5000
/** Until the command has ended by itself once its workers are gone: it tells its end, and viewers see it. */
const WITHOUT_WORKERS_MS = 700
/** For the last that is written before the process ends by the signal. */
const LAST_WORDS_MS = 300

const EXIT_CODES = { SIGHUP: EXIT.hungUp, SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const
type EndingSignal = keyof typeof EXIT_CODES
const ENDING_SIGNALS: readonly EndingSignal[] = ['SIGHUP', 'SIGINT', 'SIGTERM']

export interface SignalWatch {
  /** Aborted: the command ends. */
  readonly signal: AbortSignal
  /** Aborted: what is in hand is finished, and nothing more is begun. */
  readonly draining: AbortSignal
  /** The exit code of the signal that came, or null. */
  readonly exitCode: () => ExitCode | null
  readonly close: () => void
}

export interface SignalOptions {
  /** SIGUSR1 drains; `first`: so does the first of the signals that end, and the next one ends. */
  readonly drain?: 'first' | 'asked' | undefined
  /** Last words before the process ends by the signal, which it does even if they take too long. */
  readonly onForced?: ((code: ExitCode) => Promise<void>) | undefined
  /** A process in the background has no terminal whose end would concern it. */
  readonly isDetached?: boolean | undefined
}

/** @param say writes one line for the person who pressed Ctrl-C */
export function watchSignals(say: (line: string) => void, options: SignalOptions = {}): SignalWatch {
  const { drain, isDetached = false, onForced } = options
  const abort = new AbortController()
  const draining = new AbortController()
  let received: EndingSignal | null = null
  let isForced = false

  const onDrain = (name: string) => {
    if (received !== null || draining.signal.aborted) return
    say(
      `${name}: finishing the pictures in hand, then stopping; Ctrl-C or SIGTERM stops before the next step`,
    )
    draining.abort()
  }
  const onEnd = (name: EndingSignal) => {
    if (drain === 'first' && received === null && !draining.signal.aborted) return onDrain(name)
    if (received !== null) return force(name)
    received = name
    say(`${name}: finishing what is done; once more to end at once`)
    if (drain === 'asked' && !draining.signal.aborted)
      say(
        `to finish the pictures in hand first: kill -USR1 ${process.pid} in place of it, or run with --drain`,
      )
    abort.abort(new PregenError('E_CANCELLED', `Cancelled by ${name}.`, { exitCode: 3 }))
    setTimeout(() => force(name), GRACE_MS).unref()
  }
  const isIgnored = (name: EndingSignal) => name === 'SIGHUP' && (isDetached || ignoresHangup())
  const listeners = new Map<NodeJS.Signals, () => void>(
    ENDING_SIGNALS.map((name) => [name, isIgnored(name) ? () => undefined : () => onEnd(name)]),
  )
  // Without a listener Node would open its debugger's port.
  listeners.set('SIGUSR1', drain === undefined ? () => undefined : () => onDrain('SIGUSR1'))
  const close = () => {
    for (const [name, listener] of listeners) process.off(name, listener)
  }
  const endNow = async (name: EndingSignal) => {
    close()
    killAllWorkers()
    // It ends whatever comes of them, even where they throw.
    await Promise.allSettled([
      Promise.race([onForced?.(EXIT_CODES[name]), sleep(LAST_WORDS_MS, undefined, { ref: false })]),
    ])
    process.kill(process.pid, name)
  }
  const force = (name: EndingSignal) => {
    if (isForced) return void endNow(name)
    isForced = true
    killAllWorkers()
    setTimeout(() => void endNow(name), WITHOUT_WORKERS_MS).unref()
  }
  for (const [name, listener] of listeners) process.on(name, listener)

  return {
    signal: abort.signal,
    draining: draining.signal,
    exitCode: () => (received === null ? null : EXIT_CODES[received]),
    close,
  }
}

/** Whether a command was ended by its signal, and not by a fault that came at the same time. */
export function isCancellation(error: unknown): boolean {
  return errorCode(error) === 'E_CANCELLED'
}
