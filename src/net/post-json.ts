/** Tells another program that something is done, and never lets that endanger what was done. */

import { createHmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf, PregenError, type SourceLocation } from '../errors.ts'
import { DeadlineError, withDeadline } from './deadline.ts'
import { sendGuarded } from './guarded-request.ts'
import { checkHost, checkUrl, NetFault, type ReachOptions } from './reach.ts'
import { redactUrl } from './redact-url.ts'

export interface PostOptions extends ReachOptions {
  /** Key of the HMAC-SHA256 over the body, sent as `X-Pregen-Signature: sha256=<hex>`; unsigned without. */
  readonly secret?: string | undefined
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
 * @param location where the URL stands
 * @throws PregenError `E_CALLBACK_URL`
 */
export function checkCallbackUrl(url: string, options: ReachOptions, location?: SourceLocation): void {
  try {
    checkUrl(url, options)
  } catch (thrown) {
    if (!(thrown instanceof NetFault)) throw thrown
    throw callbackFault(thrown, location)
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
  location?: SourceLocation,
): Promise<void> {
  try {
    await checkHost(new URL(url), options)
  } catch (thrown) {
    if (thrown instanceof NetFault) throw callbackFault(thrown, location)
  }
}

function callbackFault(cause: NetFault, location: SourceLocation | undefined): PregenError {
  const help =
    'A callback is posted over https, to a public address, without a user name or password in the URL. --allow-private-urls lets http and private addresses through.'
  return new PregenError('E_CALLBACK_URL', `The callback cannot be posted: ${cause.message}`, {
    help,
    location,
    cause,
  })
}

/** Statuses that may pass: everything else below 500 is the receiver's last word. */
const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429])

/** Faults that another try cannot mend. */
const lastingFaults: ReadonlySet<string> = new Set(['invalid', 'scheme', 'private', 'status'])

interface Try {
  readonly status: number | null
  readonly reason: string
  readonly lasting: boolean
}

/**
 * Posts `body` as JSON, with retries; redirects are not followed. Never throws: a failure is a result.
 *
 * @param body anything that JSON can hold
 */
export async function postJson(url: string, body: unknown, options: PostOptions): Promise<PostResult> {
  const { attempts, baseDelayMs, maxDelayMs, signal, random = Math.random } = options
  let last: Try = { status: null, reason: 'no attempt was made', lasting: true }
  for (let attempt = 1; attempt <= attempts; attempt++) {
    if (signal?.aborted) return { ok: false, ...outcome(last), attempts: attempt - 1, reason: 'cancelled' }
    last = await tryOnce(url, body, options)
    const { status } = last
    if (status !== null && status >= 200 && status < 300) return { ok: true, status, attempts: attempt }
    if (last.lasting || attempt === attempts) return { ok: false, ...outcome(last), attempts: attempt }
    const waitMs = random() * Math.min(maxDelayMs, baseDelayMs * 2 ** (attempt - 1))
    // An abort ends the wait early; the next turn of the loop sees it.
    await delay(waitMs, undefined, { signal }).catch(() => undefined)
  }
  return { ok: false, ...outcome(last), attempts: 0 }
}

function outcome({ status, reason }: Try): { status: number | null; reason: string } {
  return { status, reason }
}

async function tryOnce(url: string, body: unknown, options: PostOptions): Promise<Try> {
  try {
    const payload = Buffer.from(JSON.stringify(body) ?? 'null')
    const status = await withDeadline(options.timeoutMs, options.signal, async (signal) => {
      const headers = requestHeaders(payload, options.secret)
      const request = { ...options, method: 'POST', headers, body: payload, signal } as const
      const response = await sendGuarded(checkUrl(url, options), request)
      response.destroy()
      return response.statusCode ?? 0
    })
    return {
      status,
      reason: `${redactUrl(url)} answers with status ${status}`,
      lasting: status < 500 && !passingStatuses.has(status),
    }
  } catch (thrown) {
    if (options.signal?.aborted) return { status: null, reason: 'cancelled', lasting: true }
    if (thrown instanceof DeadlineError) {
      return { status: null, reason: `no answer within ${options.timeoutMs / 1000} s`, lasting: false }
    }
    const lasting = thrown instanceof NetFault ? lastingFaults.has(thrown.reason) : true
    return { status: null, reason: messageOf(thrown), lasting }
  }
}

function requestHeaders(payload: Buffer, secret: string | undefined): Record<string, string | number> {
  return {
    'content-type': 'application/json',
    'content-length': payload.length,
    'user-agent': 'pregen',
    ...(secret === undefined ? {} : { 'x-pregen-signature': signPayload(payload, secret) }),
  }
}

/** `sha256=<hex>`: what a receiver computes over the raw body with the shared secret, and compares. */
export function signPayload(payload: Buffer, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(payload).digest('hex')}`
}
