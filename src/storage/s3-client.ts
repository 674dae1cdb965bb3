/** The SDK's client, set up for stores that are not AWS too: sockets, timeouts, checksums, and no plain http. */
import { S3Client } from '@aws-sdk/client-s3'
import { PregenError } from '../errors.ts'

export interface S3Options {
  readonly bucket: string
  /** undefined = AWS. `https://<ACCOUNT_ID>.r2.cloudflarestorage.com`, `http://127.0.0.1:9000`, … */
  readonly endpoint?: string | undefined
  /** Default: `auto` for R2, `us-east-1` for other endpoints, the environment's for AWS. */
  readonly region?: string | undefined
  /** Default: the SDK's chain of environment, profile, web identity, container and machine role. */
  readonly credentials?:
    | {
        readonly accessKeyId: string
        readonly secretAccessKey: string
        readonly sessionToken?: string | undefined
      }
    | undefined
  /** Requests at once; sockets are kept for eight more. */
  readonly concurrency?: number | undefined
  /** Name the bucket in the path, not in the host. Default: true with an endpoint. */
  readonly forcePathStyle?: boolean | undefined
  /** Folder of the preflight's probe, for policies that allow one prefix only. Default `foigoi`. */
  readonly probePrefix?: string | undefined
  readonly timeouts?: S3Timeouts | undefined
}

export interface S3Timeouts {
  /** All attempts of one call together. */
  readonly deadlineMs?: number | undefined
  /** One attempt; a PUT gets a second more for each 64 KiB. */
  readonly attemptMs?: number | undefined
  readonly connectMs?: number | undefined
  /** All attempts of each call of the preflight. */
  readonly preflightMs?: number | undefined
}

export const DEFAULT_TIMEOUTS = {
  deadlineMs: 240_000,
  attemptMs: 30_000,
  connectMs: 10_000,
  preflightMs: 20_000,
} as const satisfies Required<S3Timeouts>

export function resolveTimeouts(timeouts: S3Timeouts = {}): Required<{ [K in keyof S3Timeouts]: number }> {
  return {
    deadlineMs: timeouts.deadlineMs ?? DEFAULT_TIMEOUTS.deadlineMs,
    attemptMs: timeouts.attemptMs ?? DEFAULT_TIMEOUTS.attemptMs,
    connectMs: timeouts.connectMs ?? DEFAULT_TIMEOUTS.connectMs,
    preflightMs: timeouts.preflightMs ?? DEFAULT_TIMEOUTS.preflightMs,
  }
}

export function createClient(
  options: S3Options,
  endpoint: URL | undefined,
  region: string | undefined,
  connectMs: number,
): S3Client {
  const maxSockets = (options.concurrency ?? 16) + 8
  const agent = { maxSockets, keepAlive: true }
  const client = new S3Client({
    ...(endpoint ? { endpoint: endpoint.href } : {}),
    forcePathStyle: options.forcePathStyle ?? endpoint !== undefined,
    ...(region === undefined ? {} : { region }),
    ...(options.credentials ? { credentials: options.credentials } : {}),
    // Retries are ours (retry.ts): the SDK's stop when its bucket of tokens is empty.
    maxAttempts: 1,
    // R2, MinIO and others do not know the SDK's newer CRC trailers; Content-MD5 is understood everywhere.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // "Expect: 100-continue" would open a socket outside the pool for each larger object.
    expectContinueHeader: false,
    followRegionRedirects: false,
    requestHandler: {
      connectionTimeout: connectMs,
      // Attempts end by their own signal; this is the belt to those braces, and must throw rather than warn.
      requestTimeout: 600_000,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  })
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args
      if (isRequest(request) && request.protocol === 'http:' && !isLoopback(request.hostname)) {
        throw insecureEndpoint(request.hostname)
      }
      return next(args)
    },
    { step: 'finalizeRequest', name: 'pregenNoPlainHttp' },
  )
  return client
}

export function defaultRegion(endpoint: URL | undefined): string | undefined {
  if (!endpoint) return undefined
  return endpoint.hostname.endsWith('.r2.cloudflarestorage.com') ? 'auto' : 'us-east-1'
}

export function checkEndpoint(endpoint: string): URL {
  let url: URL
  try {
    url = new URL(endpoint)
  } catch (error) {
    throw new PregenError('E_ENDPOINT_INVALID', 'storage.endpoint is not a URL', {
      help: 'Write it with its scheme: https://<ACCOUNT_ID>.r2.cloudflarestorage.com',
      cause: error,
    })
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new PregenError(
      'E_ENDPOINT_INVALID',
      `storage.endpoint (${url.host}) holds a name, a password or a query`,
      { help: 'Give keys as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment.' },
    )
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) throw insecureEndpoint(url.hostname)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new PregenError('E_ENDPOINT_INVALID', `storage.endpoint begins with ${url.protocol}, not https:`)
  }
  return url
}

function insecureEndpoint(host: string): PregenError {
  return new PregenError(
    'E_INSECURE_ENDPOINT',
    `storage.endpoint is plain http to ${host}, not this machine`,
    {
      help: 'Use https. Plain http is for 127.0.0.1, ::1 and localhost only.',
    },
  )
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname === '[::1]' ||
    hostname === '::1' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  )
}

function isRequest(request: unknown): request is { protocol: string; hostname: string } {
  return (
    typeof request === 'object' &&
    request !== null &&
    'protocol' in request &&
    typeof request.protocol === 'string' &&
    'hostname' in request &&
    typeof request.hostname === 'string'
  )
}
