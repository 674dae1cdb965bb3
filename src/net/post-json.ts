/** Tells another program that something is done, and never lets that endanger what was done. */

import { createHmac } from 'node:crypto'
import { type LocateFault, messageOf, PregenError } from '../errors.ts'
import { sendGuarded } from './guarded-request.ts'
import { checkHost, checkUrl, NetFault, type ReachOptions } from './reach.ts'
import { redactUrl } from './redact-url.ts'
import { AttemptTimeout, RetriesExhausted, retry } from './retry.ts'

export interface PostOptions extends ReachOptions {
  /** Key of the HMAC-SHA256 over the body, sent as `X-Pregen-Signature: sha256=<hex>`; unsigned without. */
  readonly secret?: string | undefined
  /** Sent as `Idempotency-Key`, by which a receiver knows a call that it had before. */
  readonly key?: string | undefined
  /** Tries in all, 1 or more. */
  readonly attempts: number
  /** For one try. */
  readonly timeoutMs: number
  /** Before try n + 1: a random time of at most `baseDelayMs` · 2ⁿ⁻¹ (full jitter), never above `maxDelayMs`. */
  readonly baseDelayMs: number
  readonly maxDelayMs: number
  readonly signal?: AbortSignal | undefined
  /** Uniform in [0, 1); `Math.random` unless told otherwise. */
  readonly random?: (() => number) | undefined
}

export type PostResult =
  | { readonly ok: true; readonly status: number; readonly attempts: number }
  | {
      readonly ok: false
      /** Status of the last answer, or null where none came. */
      readonly status: number | null
      readonly attempts: number
      /** What went wrong last, without query strings. */
      readonly reason: string
    }

/**
 * What can be said about a callback's URL without the network: its form, and an address written out.
 *
 * @param locate where the URL stands
 * @throws PregenError `E_CALLBACK_URL`
 */
export function checkCallbackUrl(url: string, options: ReachOptions, locate?: LocateFault): void {
  try {
    checkUrl(url, options)
  } catch (thrown) {
    if (!(thrown instanceof NetFault)) throw thrown
    throw callbackFault(thrown, locate)
  }
}

/**
 * Asks where a callback's name leads. A name that nobody knows is no fault: it may be known by the time of the call.
 *
 * @throws PregenError `E_CALLBACK_URL` when it leads to private addresses alone
 */
export async function checkCallbackHost(
  url: string,
  options: ReachOptions,
  locate?: LocateFault,
): Promise<void> {
  try {
    await checkHost(new URL(url), options)
  } catch (thrown) {
    if (thrown instanceof NetFault) throw callbackFault(thrown, locate)
  }
}

function callbackFault(cause: NetFault, locate?: LocateFault): PregenError {
  const help =
    'A callback is posted over https, to a public address, without a user name or password in the URL. --allow-private-urls lets http and private addresses through.'
  return new PregenError('E_CALLBACK_URL', `The callback cannot be posted: ${cause.message}`, {
    help,
    location: locate?.(),
    cause,
  })
}

/** Statuses that may pass: everything else below 500 is the receiver's last word. */
const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429])

/** Faults that another try cannot mend. */
const lastingFaults: ReadonlySet<string> = new Set(['invalid', 'scheme', 'private', 'status', 'certificate'])

/** A try that did not deliver. */
class Undelivered extends Error {
  readonly status: number | null
  /** Whether another try cannot mend it. */
  readonly lasting: boolean

  constructor(reason: string, status: number | null, lasting: boolean, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause })
    this.status = status
    this.lasting = lasting
  }
}

/**
 * Posts `body` as JSON, with retries; redirects are not followed. Never throws: a failure is a result.
 *
 * @param body anything that JSON can hold
 */
export async function postJson(url: string, body: unknown, options: PostOptions): Promise<PostResult> {
  const { signal, baseDelayMs, maxDelayMs, timeoutMs, random } = options
  let attempts = 0
  let last = new Undelivered('no attempt was made', null, true)
  const attempt = async (attemptSignal: AbortSignal) => {
    attempts += 1
    try {
      return await postOnce(url, body, options, attemptSignal)
    } catch (thrown) {
      last = undelivered(thrown)
      throw last
    }
  }
  try {
    const { value } = await retry(attempt, {
      ...{ maxAttempts: options.attempts, deadlineMs: Infinity, attemptMs: timeoutMs },
      ...{ baseMs: baseDelayMs, capMs: maxDelayMs, random, signal },
      isRetryable: (error) =>
        error instanceof AttemptTimeout || (error instanceof Undelivered && !error.lasting),
    })
    return { ok: true, status: value, attempts }
  } catch (thrown) {
    if (signal?.aborted) return { ok: false, status: last.status, attempts, reason: 'cancelled' }
    const isLate = thrown instanceof RetriesExhausted && thrown.cause instanceof AttemptTimeout
    if (isLate) return { ok: false, status: null, attempts, reason: `no answer within ${timeoutMs / 1000} s` }
    return { ok: false, status: last.status, attempts, reason: last.message }
  }
}

/** @returns the status of the answer, 2xx */
async function postOnce(
  url: string,
  body: unknown,
  options: PostOptions,
  signal: AbortSignal,
): Promise<number> {
  const payload = Buffer.from(JSON.stringify(body) ?? 'null')
  const headers = requestHeaders(payload, options)
  const request = { ...options, method: 'POST', headers, body: payload, signal } as const
  const response = await sendGuarded(checkUrl(url, options), request)
  response.destroy()
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 300) return status
  const lasting = status < 500 && !passingStatuses.has(status)
  throw new Undelivered(`${redactUrl(url)} answers with status ${status}`, status, lasting)
}

function undelivered(thrown: unknown): Undelivered {
  if (thrown instanceof Undelivered) return thrown
  const lasting = thrown instanceof NetFault ? lastingFaults.has(thrown.reason) : true
  return new Undelivered(messageOf(thrown), null, lasting, thrown)
}

function requestHeaders(
  payload: Buffer,
  { secret, key }: Pick<PostOptions, 'secret' | 'key'>,
): Record<string, string | number> {
  return {
    'content-type': 'application/json',
    'content-length': payload.length,
    'user-agent': 'pregen',
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    ...(secret === undefined ? {} : { 'x-pregen-signature': signPayload(payload, secret) }),
  }
}

/** `sha256=<hex>`: what a receiver computes over the raw body with the shared secret, and compares. */
function signPayload(payload: Buffer, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(payload).digest('hex')}`
}
