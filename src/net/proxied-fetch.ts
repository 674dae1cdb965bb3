/** `fetch` for large files and package indexes, through the proxy that the environment names; Node's own knows none. */
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { PregenError } from '../errors.ts'
import type { Fetch } from './download.ts'
import { proxyAgentFor } from './proxies.ts'
import { redactUrl } from './redact-url.ts'

const MAX_REDIRECTS = 10
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** Statuses whose responses may have no body. */
const BODYLESS: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * As `fetch`, for GET and HEAD. A redirect to another origin is not told who is asking.
 * @throws PregenError `E_PROXY_INVALID`; what `fetch` throws
 */
export const proxiedFetch: Fetch = async (address, init = {}) => {
  let url = new URL(address)
  let headers = new Headers(init.headers)
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await fetchOnce(url, { ...init, headers })
    const location = response.headers.get('location')
    if (!REDIRECTS.has(response.status) || location === null) return response
    await response.body?.cancel()
    const next = new URL(location, url)
    if (next.origin !== url.origin) {
      headers = new Headers(headers)
      headers.delete('authorization')
    }
    url = next
  }
  throw new PregenError(
    'E_DOWNLOAD_FAILED',
    `${redactUrl(address)} redirects more than ${MAX_REDIRECTS} times.`,
    {
      help: 'Check the address of the mirror.',
    },
  )
}

async function fetchOnce(url: URL, init: RequestInit & { readonly headers: Headers }): Promise<Response> {
  const agent = proxyAgentFor(url, { keepAlive: false })
  if (agent === undefined) return await fetch(url, { ...init, redirect: 'manual' })
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const { request } = url.protocol === 'https:' ? https : http
    const sent = request(url, {
      agent,
      method: init.method ?? 'GET',
      headers: { ...Object.fromEntries(init.headers), 'accept-encoding': 'identity' },
      signal: init.signal ?? undefined,
    })
    sent.on('response', resolve)
    sent.on('error', reject)
    sent.end()
  })
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers)) {
    for (const one of [value ?? []].flat()) headers.append(name, one)
  }
  const status = message.statusCode ?? 502
  if (!BODYLESS.has(status)) return new Response(bodyOf(message), { status, headers })
  message.resume()
  return new Response(null, { status, headers })
}

/** A body that is cancelled ends its connection; one that is cut off fails its reader. */
function bodyOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = message[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await chunks.next()
      if (done) controller.close()
      else controller.enqueue(new Uint8Array(value))
    },
    cancel: () => void message.destroy(),
  })
}
