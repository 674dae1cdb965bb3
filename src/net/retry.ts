/**
 * Retries with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter") until a deadline, not until a
 * token bucket is empty: an outage of a minute must not end a night's run.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type SilenceWatch, watchSilence } from './silence.ts'

export interface Backoff {
  /** Upper bound of the first pause; it doubles with each. */
  readonly baseMs: number
  readonly capMs: number
  /** 0 ≤ x < 1; tests put a fixed one. */
  readonly random?: (() => number) | undefined
}

export interface RetryOptions extends Backoff {
  /** Time for all attempts together, their pauses included; waiting at the gate is not counted. */
  readonly deadlineMs: number
  /** How long an attempt may be silent; at its end the attempt is aborted. */
  readonly attemptMs: number | (() => number)
  /** How long one attempt may take in all, however much is heard of it. */
  readonly longestMs?: number | undefined
  readonly maxAttempts?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Whether another attempt may help. */
  readonly isRetryable: (error: unknown) => boolean
  /** Lets an attempt begin when it is its turn. */
  readonly gate?: (<T>(attempt: () => Promise<T>) => Promise<T>) | undefined
  readonly onTimeout?: (() => void) | undefined
}

export class AttemptTimeout extends Error {
  override readonly name = 'AttemptTimeout'
}

/** What the last attempt failed with, and how many there were. */
export class RetriesExhausted extends Error {
  override readonly name = 'RetriesExhausted'
  readonly attempts: number

  constructor(attempts: number, cause: unknown) {
    super(`gave up after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`, { cause })
    this.attempts = attempts
  }
}

/** Work that is tried: `noteSign` is called whenever something of it has moved. */
export type Attempt<T> = (signal: AbortSignal, noteSign: () => void) => Promise<T>

// Attempts that moved bytes and broke off are no outage: they count for a part of the deadline at most.
const SHARE_OF_MOVING_ATTEMPT = 0.25

/**
 * @param attempt does the work once; its signal ends with the attempt's time, or with `options.signal`
 * @throws RetriesExhausted with the last failure as its cause; the reason of `options.signal` where that ended it
 */
export async function retry<T>(
  attempt: Attempt<T>,
  options: RetryOptions,
): Promise<{ value: T; attempts: number }> {
  const { signal, deadlineMs, maxAttempts = Infinity, gate = (work) => work() } = options
  let spentMs = 0
  for (let attempts = 1; ; attempts++) {
    signal?.throwIfAborted()
    const time = { spentMs: 0 }
    try {
      const value = await gate(() => tryOnce(attempt, options, deadlineMs - spentMs, time))
      return { value, attempts }
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof AttemptTimeout) options.onTimeout?.()
      const isLast = attempts >= maxAttempts || !options.isRetryable(error)
      const pauseMs = isLast ? 0 : pauseBefore(attempts, options)
      spentMs += time.spentMs + pauseMs
      if (isLast || spentMs >= deadlineMs) throw new RetriesExhausted(attempts, error)
      await pause(pauseMs, signal)
    }
  }
}

/** Before try n + 1: a random time of at most `baseMs` · 2ⁿ⁻¹ (full jitter), never above `capMs`. */
export function pauseBefore(attempts: number, { baseMs, capMs, random = Math.random }: Backoff): number {
  return random() * Math.min(capMs, baseMs * 2 ** (attempts - 1))
}

/** @throws the reason of `signal`, at once when that is aborted */
export async function pause(pauseMs: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(pauseMs, undefined, { signal }).catch(() => signal?.throwIfAborted())
}

async function tryOnce<T>(
  attempt: Attempt<T>,
  { attemptMs, deadlineMs, longestMs, signal }: RetryOptions,
  leftMs: number,
  time: { spentMs: number },
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  // One that may depend on the line is not cut by the deadline: to begin anew would cost what has moved.
  const limitMs = () =>
    typeof attemptMs === 'number' ? Math.min(attemptMs, Math.max(1, leftMs)) : attemptMs()
  let watch: SilenceWatch | undefined
  let onAbort: (() => void) | undefined
  const cut = new Promise<never>((_, reject) => {
    const end = (reason: unknown) => {
      reject(reason)
      controller.abort(reason)
    }
    onAbort = () => end(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    const onSilent = () => end(new AttemptTimeout(`no answer within ${(limitMs() / 1000).toFixed(1)} s`))
    watch = watchSilence({ limitMs, mostMs: longestMs, onSilent })
  })
  try {
    // The race ends the wait even where the attempt does not heed its signal.
    return await Promise.race([attempt(controller.signal, () => watch?.noteSign()), cut])
  } finally {
    watch?.stop()
    const totalMs = watch?.totalMs() ?? 0
    time.spentMs = watch?.hasHeard() ? Math.min(totalMs, deadlineMs * SHARE_OF_MOVING_ATTEMPT) : totalMs
    if (onAbort) signal?.removeEventListener('abort', onAbort)
  }
}
