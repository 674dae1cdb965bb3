/**
 * One HTTP exchange that can reach public addresses only. The check sits in the `lookup` that the socket
 * itself uses, so a name cannot resolve to one address for the check and to another for the connection.
 */

import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicAddress } from './addresses.ts'
import { redactUrl } from './redact-url.ts'

export type NetFaultReason =
  | 'invalid'
  | 'scheme'
  | 'private'
  | 'redirect'
  | 'status'
  | 'too-large'
  | 'timeout'
  | 'unreachable'

/** Why an exchange failed. Messages hold no query string, user name or password. */
export class NetFault extends Error {
  override readonly name = 'NetFault'
  readonly reason: NetFaultReason

  constructor(reason: NetFaultReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.reason = reason
  }
}

/** All addresses of a name, as `dns.lookup` with `all: true` gives them. */
export type ResolveHost = (hostname: string) => Promise<readonly LookupAddress[]>

export interface ReachOptions {
  /** Lets `http:` and private addresses through. */
  readonly allowPrivate?: boolean | undefined
  /** Certificate authorities in PEM, in place of the system's. */
  readonly ca?: string | undefined
  /** How names become addresses; the system's resolver unless told otherwise. */
  readonly resolve?: ResolveHost | undefined
}

export interface GuardedRequest extends ReachOptions {
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string | number>>
  readonly body?: Buffer | undefined
  readonly signal: AbortSignal
}

/**
 * The URL, if its form allows it to be fetched: `https:` (or `http:` where private is allowed), no user name or
 * password, and not a private address written out. Names are checked when they are resolved.
 *
 * @throws NetFault `invalid`, `scheme`, `private`
 */
export function checkUrl(url: string | URL, { allowPrivate = false }: ReachOptions): URL {
  if (!(url instanceof URL) && !URL.canParse(url)) {
    throw new NetFault('invalid', `"${redactUrl(url)}" is not a URL.`)
  }
  const parsed = new URL(url)
  if (parsed.protocol !== 'https:' && !(allowPrivate && parsed.protocol === 'http:')) {
    throw new NetFault('scheme', `${redactUrl(parsed)} is not an https URL.`)
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new NetFault('invalid', `The URL of ${parsed.host} has a user name or a password in it.`)
  }
  const literal = literalOf(parsed)
  if (!allowPrivate && isIP(literal) !== 0 && !isPublicAddress(literal)) {
    throw new NetFault('private', `${redactUrl(parsed)} is not a public address.`)
  }
  return parsed
}

/**
 * Asks for a host's addresses, where private ones are not allowed.
 *
 * @throws NetFault `private` for a name with no public address; what the resolver throws for a name that it does
 *   not know
 */
export async function checkHost(url: URL, { allowPrivate = false, resolve }: ReachOptions): Promise<void> {
  if (allowPrivate || isIP(literalOf(url)) !== 0) return
  const addresses = await (resolve ?? resolveHost)(url.hostname)
  if (!addresses.some(({ address }) => isPublicAddress(address))) throw noPublicAddress(url.hostname)
}

/** The host as `isIP` reads it: IPv6 without its brackets. */
function literalOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

function noPublicAddress(hostname: string): NetFault {
  return new NetFault('private', `${hostname} has no public address.`)
}

/**
 * Sends one request and answers when the response's head is there; redirects are not followed.
 *
 * @throws NetFault as `checkUrl`, and `private` for a name with no public address, `unreachable`
 */
export async function sendGuarded(url: URL, request: GuardedRequest): Promise<IncomingMessage> {
  checkUrl(url, request)
  const { method, headers, body, signal, ca } = request
  return new Promise((resolve, reject) => {
    const client = url.protocol === 'https:' ? https : http
    const outgoing = client.request(
      url,
      // A fresh socket each time: a pooled one was opened under another check.
      { method, headers, signal, agent: false, lookup: guardedLookup(request), ...(ca ? { ca } : {}) },
      resolve,
    )
    outgoing.on('error', (cause) => {
      reject(
        cause instanceof NetFault
          ? cause
          : new NetFault('unreachable', `${url.host} cannot be reached: ${reasonOf(cause)}`, cause),
      )
    })
    outgoing.end(body)
  })
}

function guardedLookup({ allowPrivate = false, resolve = resolveHost }: ReachOptions): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : options.family
        const usable = addresses.filter(
          (entry) => (allowPrivate || isPublicAddress(entry.address)) && (!family || entry.family === family),
        )
        const [first] = usable
        if (first === undefined) {
          callback(noPublicAddress(hostname), [])
        } else if (options.all) callback(null, [...usable])
        else callback(null, first.address, first.family)
      },
      (cause: NodeJS.ErrnoException) => callback(cause, []),
    )
  }
}

function resolveHost(hostname: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    dnsLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)))
  })
}

/** Node's message, or its code where happy eyeballs left the message empty. */
function reasonOf(error: NodeJS.ErrnoException): string {
  return error.message || error.code || error.name
}
