/**
 * Retries with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter") until a deadline, not until a
 * token bucket is empty: an outage of a minute must not end a night's run.
 */
import { setTimeout as sleep } from 'node:timers/promises'

export interface RetryOptions {
  /** Time for all attempts together. */
  readonly deadlineMs: number
  /** Time for one attempt; at its end the attempt is aborted. */
  readonly attemptMs: number
  /** Upper bound of the first pause; it doubles with each. */
  readonly baseMs: number
  readonly capMs: number
  readonly signal?: AbortSignal | undefined
  /** Whether another attempt may help. */
  readonly isRetryable: (error: unknown) => boolean
  /** 0 ≤ x < 1; tests put a fixed one. */
  readonly random?: (() => number) | undefined
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

/**
 * @param attempt does the work once; its signal ends with the attempt's time, or with `options.signal`
 * @throws RetriesExhausted with the last failure as its cause; the reason of `options.signal` where that ended it
 */
export async function retry<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  options: RetryOptions,
): Promise<{ value: T; attempts: number }> {
  const { signal, random = Math.random } = options
  const end = performance.now() + options.deadlineMs
  for (let attempts = 1; ; attempts++) {
    signal?.throwIfAborted()
    try {
      const attemptMs = Math.min(options.attemptMs, Math.max(1, end - performance.now()))
      return { value: await withTimeout(attempt, attemptMs, signal), attempts }
    } catch (error) {
      signal?.throwIfAborted()
      const pauseMs = random() * Math.min(options.capMs, options.baseMs * 2 ** (attempts - 1))
      if (!options.isRetryable(error) || performance.now() + pauseMs >= end) {
        throw new RetriesExhausted(attempts, error)
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => signal?.throwIfAborted())
    }
  }
}

async function withTimeout<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  attemptMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  const controller = new AbortController()
  const onAbort = () => controller.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  let timer: NodeJS.Timeout | undefined
  try {
    // The race ends the wait even where the attempt does not heed its signal.
    return await Promise.race([
      attempt(controller.signal),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          const timeout = new AttemptTimeout(`no answer within ${(attemptMs / 1000).toFixed(1)} s`)
          reject(timeout)
          controller.abort(timeout)
        }, attemptMs)
      }),
    ])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
