/** Fetches a file that a sheet names by URL, within limits of reach, size and time. */

import type { IncomingMessage } from 'node:http'
import { PregenError } from '../errors.ts'
import { CERTIFICATE_HELP } from './certificates.ts'
import { DeadlineError, withDeadline } from './deadline.ts'
import { sendGuarded } from './guarded-request.ts'
import { checkUrl, NetFault, type NetFaultReason, type ReachOptions } from './reach.ts'
import { redactUrl } from './redact-url.ts'

export interface FetchOptions extends ReachOptions {
  /** Most bytes of the body. */
  readonly maxBytes: number
  /** For everything together: names, connections, redirects and the body. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface FetchedFile {
  readonly bytes: Buffer
  /** The `content-type` as sent, or null. */
  readonly contentType: string | null
  /** Where the bytes came from after redirects, without its query. */
  readonly url: string
}

const maxRedirects = 5
/** 300, 304 and 305 name no other place to fetch the same from. */
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

const codes = {
  invalid: 'E_IMAGE_URL_INVALID',
  scheme: 'E_IMAGE_URL_SCHEME',
  private: 'E_IMAGE_URL_PRIVATE',
  redirect: 'E_IMAGE_URL_REDIRECTS',
  status: 'E_IMAGE_URL_STATUS',
  'too-large': 'E_IMAGE_URL_TOO_LARGE',
  timeout: 'E_IMAGE_URL_TIMEOUT',
  certificate: 'E_IMAGE_URL_UNREACHABLE',
  unreachable: 'E_IMAGE_URL_UNREACHABLE',
} as const satisfies Record<NetFaultReason, string>

const help: Readonly<Record<NetFaultReason, string>> = {
  invalid: 'Give a whole URL such as "https://example.com/stage.png", or a path relative to the sheet.',
  scheme: 'Images are fetched over https only. For a file on this machine give its path.',
  private:
    'Images are fetched from public addresses only, after redirects too. Download it and give its path, or allow it with --allow-private-urls.',
  redirect: 'Give the URL that the redirects lead to.',
  status: 'Open the URL in a browser without being signed in; a presigned URL may have expired.',
  'too-large': 'Make the image smaller, or download it and give its path.',
  timeout: 'Download the image and give its path.',
  certificate: CERTIFICATE_HELP,
  unreachable: 'Check the address and the connection.',
}

/**
 * GET over https with at most 5 redirects, each checked like the first.
 *
 * @throws PregenError `E_IMAGE_URL_INVALID`, `_SCHEME`, `_PRIVATE`, `_REDIRECTS`, `_STATUS`, `_TOO_LARGE`,
 *   `_TIMEOUT`, `_UNREACHABLE`; the reason of `signal` where that was aborted
 */
export async function fetchHttps(url: string, options: FetchOptions): Promise<FetchedFile> {
  try {
    return await withDeadline(options.timeoutMs, options.signal, (signal) =>
      fetchFollowing(url, options, signal),
    )
  } catch (thrown) {
    options.signal?.throwIfAborted()
    const late = `${redactUrl(url)} did not arrive within ${options.timeoutMs / 1000} s.`
    const fault = thrown instanceof DeadlineError ? new NetFault('timeout', late) : thrown
    if (!(fault instanceof NetFault)) throw fault
    throw new PregenError(codes[fault.reason], fault.message, {
      help: help[fault.reason],
      cause: fault.cause,
    })
  }
}

async function fetchFollowing(url: string, options: FetchOptions, signal: AbortSignal): Promise<FetchedFile> {
  let target = checkUrl(url, options)
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'pregen' }
    const response = await sendGuarded(target, { ...options, method: 'GET', headers, signal })
    const { statusCode = 0 } = response
    const { location } = response.headers
    if (redirectStatuses.has(statusCode) && location !== undefined) {
      response.destroy()
      if (!URL.canParse(location, target.href)) {
        throw new NetFault('invalid', `${redactUrl(target)} redirects to something that is not a URL.`)
      }
      target = checkUrl(new URL(location, target), options)
      continue
    }
    if (statusCode !== 200) {
      response.destroy()
      throw new NetFault('status', `${redactUrl(target)} answers with status ${statusCode}.`)
    }
    return {
      bytes: await readBody(response, target, options.maxBytes),
      contentType: response.headers['content-type'] ?? null,
      url: redactUrl(target),
    }
  }
  throw new NetFault('redirect', `${redactUrl(url)} redirects more than ${maxRedirects} times.`)
}

async function readBody(response: IncomingMessage, url: URL, maxBytes: number): Promise<Buffer> {
  const tooLarge = (): NetFault =>
    new NetFault('too-large', `${redactUrl(url)} is larger than ${maxBytes} bytes.`)
  try {
    if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
    const parts: Buffer[] = []
    let received = 0
    for await (const part of response as AsyncIterable<Buffer>) {
      received += part.length
      if (received > maxBytes) throw tooLarge()
      parts.push(part)
    }
    return Buffer.concat(parts)
  } catch (thrown) {
    if (thrown instanceof NetFault) throw thrown
    throw new NetFault('unreachable', `${redactUrl(url)} broke off before its end.`, thrown)
  } finally {
    response.destroy()
  }
}
