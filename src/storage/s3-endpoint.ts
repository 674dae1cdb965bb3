/** Where a store is: checked before anything is sent there, and again when its name becomes an address. */
import { isIP, type LookupFunction } from 'node:net'
import { type LocateFault, PregenError } from '../errors.ts'
import { type AddressKind, addressKind, isLocalhostName, isLoopbackHost } from '../net/addresses.ts'
import { guardedLookup, literalOf, type ResolveHost, resolveHost } from '../net/reach.ts'

/** How far an endpoint that a sheet names may lead, and what the environment says. */
export interface EndpointPolicy {
  /** `--allow-local-endpoint`: this machine. */
  readonly allowLocalEndpoint?: boolean | undefined
  /** `--allow-private-endpoint`: private networks. */
  readonly allowPrivateEndpoint?: boolean | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface Endpoint {
  readonly url: URL
  /** Kinds of addresses that it may lead to; null: it comes from the environment, and may lead anywhere. */
  readonly kinds: ReadonlySet<AddressKind> | null
}

/**
 * The endpoint of a bucket; undefined: AWS itself.
 *
 * The environment's (`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`) counts where the sheet names none. One of a sheet may
 * lead to public addresses, and further only where a flag or the environment says so.
 *
 * @param policy undefined: whoever calls names the endpoint, which may lead anywhere
 * @throws PregenError `E_ENDPOINT_INVALID`, `E_INSECURE_ENDPOINT`, `E_ENDPOINT_PRIVATE`
 */
export function resolveEndpoint(
  named: string | undefined,
  policy: EndpointPolicy | undefined,
  locate?: LocateFault,
): Endpoint | undefined {
  const fromEnv = policy && environmentEndpoint(policy.env)
  if (named === undefined) {
    return fromEnv && { url: checkEndpoint(fromEnv.value, fromEnv.name), kinds: null }
  }
  const url = checkEndpoint(named, 'storage.endpoint', locate)
  const isSameAsEnv = fromEnv && URL.canParse(fromEnv.value) && new URL(fromEnv.value).origin === url.origin
  if (!policy || isSameAsEnv) return { url, kinds: null }
  const kinds = new Set<AddressKind>(['public'])
  if (policy.allowLocalEndpoint) kinds.add('loopback')
  if (policy.allowPrivateEndpoint) kinds.add('private')
  const kind = kindOf(url.hostname)
  if (kind !== null && !kinds.has(kind)) throw privateEndpoint(url.hostname, kind, locate)
  return { url, kinds }
}

/** A `lookup` for the sockets of a store: the endpoint's own names lead to what is allowed, others anywhere. */
export function endpointLookup({ url, kinds }: Endpoint, resolve: ResolveHost = resolveHost): LookupFunction {
  const host = url.hostname
  // Buckets in the host's name. STS, SSO and others that give credentials are not the sheet's.
  const isOfStore = (hostname: string) => hostname === host || hostname.endsWith(`.${host}`)
  const anywhere = guardedLookup(
    () => true,
    (hostname) => new Error(`${hostname} has no address`),
    resolve,
  )
  if (kinds === null) return anywhere
  const guarded = guardedLookup(
    (address) => kinds.has(addressKind(address)),
    (hostname, addresses) => {
      const [first] = addresses
      if (first === undefined)
        return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' })
      return privateEndpoint(hostname, addressKind(first.address))
    },
    resolve,
  )
  return (hostname, options, callback) =>
    (isOfStore(hostname) ? guarded : anywhere)(hostname, options, callback)
}

/** What a host is by its form alone; null: a name that must be asked for. */
function kindOf(hostname: string): AddressKind | null {
  if (isLocalhostName(hostname)) return 'loopback'
  const literal = literalOf(hostname)
  return isIP(literal) === 0 ? null : addressKind(literal)
}

const PLACES: Readonly<Record<AddressKind, string>> = {
  public: 'a public address',
  loopback: 'this machine',
  private: 'a private network',
  special: 'a link-local, metadata or reserved address',
}

function privateEndpoint(hostname: string, kind: AddressKind, locate?: LocateFault): PregenError {
  const flag = { loopback: '--allow-local-endpoint', private: '--allow-private-endpoint' }[String(kind)]
  const otherwise = 'name it as AWS_ENDPOINT_URL_S3 in the environment'
  return new PregenError(
    'E_ENDPOINT_PRIVATE',
    `storage.endpoint (${hostname}) leads to ${PLACES[kind]}, where a sheet may not send anything by itself.`,
    {
      help: flag
        ? `If it is meant, allow it with ${flag}, or ${otherwise}.`
        : `If it is meant, ${otherwise}.`,
      location: locate?.(),
    },
  )
}

/** The endpoint that the AWS tools' own variables name. */
function environmentEndpoint(
  env: EndpointPolicy['env'],
): { readonly name: string; readonly value: string } | undefined {
  if (env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS === 'true') return undefined
  for (const name of ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']) {
    const value = env[name]
    if (value) return { name, value }
  }
  return undefined
}

/** @param what names it in messages */
function checkEndpoint(endpoint: string, what: string, locate?: LocateFault): URL {
  const invalid = (message: string, help: string, cause?: unknown) =>
    new PregenError('E_ENDPOINT_INVALID', message, { help, location: locate?.(), cause })
  if (!URL.canParse(endpoint)) {
    const help = 'Write it with its scheme: https://<ACCOUNT_ID>.r2.cloudflarestorage.com'
    throw invalid(`${what} is not a URL`, help)
  }
  const url = new URL(endpoint)
  if (url.username || url.password || url.search || url.hash) {
    const help = 'Give keys as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment.'
    throw invalid(`${what} (${url.host}) holds a name, a password or a query`, help)
  }
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname))
    throw insecureEndpoint(url.hostname, what, locate)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(`${what} begins with ${url.protocol}, not https:`, 'It must begin with https://.')
  }
  return url
}

/** `E_INSECURE_ENDPOINT`: keys and pictures would be readable on the way. */
export function insecureEndpoint(host: string, what = 'storage.endpoint', locate?: LocateFault): PregenError {
  return new PregenError('E_INSECURE_ENDPOINT', `${what} is plain http to ${host}, not this machine`, {
    help: 'Use https. Plain http is for 127.0.0.1, ::1 and localhost only.',
    location: locate?.(),
  })
}
