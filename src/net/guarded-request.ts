/** One HTTP exchange that can reach public addresses only, and that settles whatever the server does. */

import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { isCertificateFault } from './certificates.ts'
import { checkHost, checkUrl, NetFault, publicLookup, type ReachOptions } from './reach.ts'
import { redactUrl } from './redact-url.ts'

export interface GuardedRequest extends ReachOptions {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string | number>>
  readonly body?: Buffer | undefined
  readonly signal: AbortSignal
}

/** A server may say that it is at work (102, 103) before it answers; one that says so for ever does not answer. */
const MOST_INTERIM_ANSWERS = 16

/**
 * Sends one request and answers when the response's head is there; redirects are not followed.
 *
 * @throws NetFault as `checkUrl`, and `private` for a name with no public address, `status` for an answer that is
 *   none to what was asked (101, a tunnel), `unreachable`
 */
export async function sendGuarded(url: URL, request: GuardedRequest): Promise<IncomingMessage> {
  checkUrl(url, request)
  const { method, headers, body, signal, ca } = request
  const authorities = ca === undefined ? undefined : [...[ca].flat()]
  const { proxyAgentFor } = await import('./proxies.ts')
  const proxied = proxyAgentFor(url, { ca: authorities })
  // A proxy resolves names by itself: what can be known of them here is looked at before.
  if (proxied) await checkHostIfKnown(url, request)
  return new Promise((resolve, reject) => {
    const client = url.protocol === 'https:' ? https : http
    let outgoing: http.ClientRequest | undefined
    let isSettled = false
    const answer = (response: IncomingMessage) => {
      isSettled = true
      resolve(response)
    }
    // Faults also come after the answer, of bytes behind it; the answer's reader has its own.
    const fail = (cause: unknown) => {
      if (isSettled) return
      isSettled = true
      reject(cause instanceof NetFault ? cause : unreachable(url, cause))
      outgoing?.destroy()
    }
    try {
      // A fresh socket each time: a pooled one was opened under another check.
      const socket = { agent: proxied ?? (false as const), lookup: publicLookup(request) }
      const reach = authorities ? { ...socket, ca: authorities } : socket
      outgoing = client.request(url, { method, headers, signal, ...reach }, answer)
    } catch (cause) {
      return fail(cause)
    }
    const switchProtocol = (response: IncomingMessage, socket: Duplex) => {
      socket.destroy()
      fail(new NetFault('status', `${redactUrl(url)} answers with status ${response.statusCode}.`))
    }
    let interimAnswers = 0
    outgoing.on('error', fail)
    // Without these two listeners Node closes the socket and tells nobody.
    outgoing.on('upgrade', switchProtocol)
    outgoing.on('connect', switchProtocol)
    outgoing.on('information', () => {
      interimAnswers += 1
      if (interimAnswers > MOST_INTERIM_ANSWERS) fail(new Error('it never comes to its answer'))
    })
    // Comes last, whatever came before: what has settled by then stays as it is.
    outgoing.on('close', () => fail(new Error('the connection was closed without an answer')))
    outgoing.end(body)
  })
}

/** @throws NetFault `private` for a name that is known here to lead to private addresses alone */
async function checkHostIfKnown(url: URL, request: ReachOptions): Promise<void> {
  try {
    await checkHost(url, request)
  } catch (error) {
    // Behind a proxy, names of the outside are often known to the proxy alone.
    if (error instanceof NetFault) throw error
  }
}

function unreachable(url: URL, cause: unknown): NetFault {
  const reason = cause instanceof Error ? reasonOf(cause) : String(cause)
  if (isCertificateFault(cause)) {
    const why = `${url.host} has a certificate that does not verify (${reason}); NODE_EXTRA_CA_CERTS names further authorities`
    return new NetFault('certificate', why, cause)
  }
  return new NetFault('unreachable', `${url.host} cannot be reached: ${reason}`, cause)
}

/** Node's message, or its code where happy eyeballs left the message empty. */
function reasonOf(error: NodeJS.ErrnoException): string {
  return error.message || error.code || error.name
}
