/**
 * Which addresses may be reached. The check sits in the `lookup` that the socket itself uses, so a name cannot
 * resolve to one address for the check and to another for the connection.
 */

import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { isLocalhostName, isPublicAddress } from './addresses.ts'
import { redactUrl } from './redact-url.ts'

export type NetFaultReason =
  | 'invalid'
  | 'scheme'
  | 'private'
  | 'redirect'
  | 'status'
  | 'too-large'
  | 'timeout'
  | 'certificate'
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
  readonly ca?: string | readonly string[] | undefined
  /** How names become addresses; the system's resolver unless told otherwise. */
  readonly resolve?: ResolveHost | undefined
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
  const literal = literalOf(parsed.hostname)
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
  if (allowPrivate || isIP(literalOf(url.hostname)) !== 0) return
  const addresses = await (resolve ?? resolveHost)(url.hostname)
  if (!addresses.some(({ address }) => isPublicAddress(address))) throw noPublicAddress(url.hostname)
}

/** The host as `isIP` reads it: IPv6 without its brackets. */
export function literalOf(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '')
}

function noPublicAddress(hostname: string): NetFault {
  return new NetFault('private', `${hostname} has no public address.`)
}

/** The `lookup` of a socket that may reach public addresses only, unless private ones are allowed. */
export function publicLookup({ allowPrivate = false, resolve }: ReachOptions): LookupFunction {
  const isAllowed = (address: string) => allowPrivate || isPublicAddress(address)
  return guardedLookup(isAllowed, noPublicAddress, resolve)
}

/**
 * A `lookup` that gives a socket only the addresses that it may reach.
 *
 * @param refusal what is thrown for a name none of whose addresses is allowed
 */
export function guardedLookup(
  isAllowed: (address: string) => boolean,
  refusal: (hostname: string, addresses: readonly LookupAddress[]) => Error,
  resolve: ResolveHost = resolveHost,
): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : options.family
        const usable = addresses.filter(
          (entry) => isAllowed(entry.address) && (!family || entry.family === family),
        )
        const [first] = usable
        if (first === undefined) {
          callback(refusal(hostname, addresses), [])
        } else if (options.all) callback(null, [...usable])
        else callback(null, first.address, first.family)
      },
      (cause: NodeJS.ErrnoException) => callback(cause, []),
    )
  }
}

/** The system's resolver, but for `localhost` and all below it, which is this machine and no question of a network. */
export async function resolveHost(hostname: string): Promise<readonly LookupAddress[]> {
  if (isLocalhostName(hostname) && hostname !== 'localhost') {
    return [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ]
  }
  return new Promise((resolve, reject) => {
    dnsLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)))
  })
}
