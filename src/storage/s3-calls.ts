/** Calls to the store: tried again while that may help, ended by their signal, explained when they fail. */
import { type Attempt, retry } from '../net/retry.ts'
import { createPace } from './pace.ts'
import type { S3Timeouts } from './s3-client.ts'
import { isRetryable, isVerdict } from './s3-error-kinds.ts'
import { storageError } from './s3-errors.ts'
import type { S3Place } from './s3-refusals.ts'

const RETRY_BASE_MS = 250
const RETRY_CAP_MS = 20_000

export interface CallLimits {
  readonly deadlineMs?: number | undefined
  /** Of a body that goes up: it waits for its turn on a thin line. */
  readonly bodyBytes?: number | undefined
  /** How long one attempt may take, however much is heard of it. */
  readonly longestMs?: number | undefined
  /** Told whenever something of a body has moved. */
  readonly onProgress?: (() => void) | undefined
  readonly signal?: AbortSignal | undefined
  /** Default: whatever may pass. */
  readonly isRetryable?: ((error: unknown) => boolean) | undefined
}

/** An answer that some callers can do something with: 403, 404, 409, 412 or "not implemented". */
export class StoreRefusal extends Error {
  readonly operation: string

  constructor(operation: string, cause: unknown) {
    super(operation, { cause })
    this.operation = operation
  }
}

export interface Calls {
  readonly place: S3Place
  /**
   * One call with its retries.
   * @param operation such as `PUT foigoi/…/final.png`
   * @throws StoreRefusal; PregenError for everything else
   */
  call<T>(
    operation: string,
    attempt: Attempt<T>,
    limits?: CallLimits,
  ): Promise<{ value: T; attempts: number }>
  /** The plain message of a refusal that the caller has no other answer to. */
  explained<T>(work: Promise<T>): Promise<T>
}

/** @param closing ends the calls that have no signal of their own */
export function createCalls(
  place: S3Place,
  timeouts: Required<{ [K in keyof S3Timeouts]: number }>,
  closing: AbortSignal,
): Calls {
  const pace = createPace()
  return {
    place,
    async call<T>(operation: string, attempt: Attempt<T>, limits: CallLimits = {}) {
      const signal = limits.signal ?? closing
      const { bodyBytes, onProgress } = limits
      // What was on its way with it at first counts to its end, though the others are through by then.
      let allowanceMs = 0
      const watched: Attempt<T> = (attemptSignal, noteSign) =>
        attempt(attemptSignal, () => {
          noteSign()
          onProgress?.()
        })
      try {
        return await retry(watched, {
          deadlineMs: limits.deadlineMs ?? timeouts.deadlineMs,
          longestMs: limits.longestMs,
          baseMs: RETRY_BASE_MS,
          capMs: RETRY_CAP_MS,
          signal,
          isRetryable: limits.isRetryable ?? isRetryable,
          ...(bodyBytes === undefined
            ? { attemptMs: timeouts.attemptMs }
            : {
                attemptMs: () => {
                  allowanceMs = Math.max(allowanceMs, pace.allowanceMs())
                  return timeouts.attemptMs + allowanceMs
                },
                gate: (work) => pace.run(bodyBytes, work),
                onTimeout: pace.timedOut,
              }),
        })
      } catch (error) {
        signal.throwIfAborted()
        if (isVerdict(error)) throw new StoreRefusal(operation, error)
        throw storageError(error, operation, place)
      }
    },
    async explained(work) {
      try {
        return await work
      } catch (error) {
        throw error instanceof StoreRefusal ? storageError(error.cause, error.operation, place) : error
      }
    },
  }
}
