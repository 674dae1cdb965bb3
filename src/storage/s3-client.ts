/** The SDK's client, set up for stores that are not AWS too: sockets, timeouts, checksums, and no plain http. */
import http from 'node:http'
import https from 'node:https'
import type { S3Client } from '@aws-sdk/client-s3'
import { isLoopbackHost } from '../net/addresses.ts'
import { authoritiesOf } from '../net/certificates.ts'
import { proxyAgentFor } from '../net/proxies.ts'
import type { ResolveHost } from '../net/reach.ts'
import { createCredentials } from './s3-credentials.ts'
import { type Endpoint, type EndpointPolicy, endpointLookup, insecureEndpoint } from './s3-endpoint.ts'
import { createHandler } from './s3-handler.ts'
import * as sdk from './sdk.ts'

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
  /** How far the endpoint may lead. Default: anywhere, which is for callers that name it themselves. */
  readonly policy?: EndpointPolicy | undefined
  /** How names become addresses; the system's resolver unless told otherwise. */
  readonly resolve?: ResolveHost | undefined
}

export interface S3Timeouts {
  /** All attempts of one call together. */
  readonly deadlineMs?: number | undefined
  /** One attempt; a PUT gets a second more for each 64 KiB. */
  readonly attemptMs?: number | undefined
  readonly connectMs?: number | undefined
  /** All attempts of each call of the preflight. */
  readonly preflightMs?: number | undefined
  /** All pages of a listing together. */
  readonly listMs?: number | undefined
  /** For the chain of credentials to give some. */
  readonly credentialsMs?: number | undefined
}

export const DEFAULT_TIMEOUTS = {
  deadlineMs: 240_000,
  attemptMs: 30_000,
  connectMs: 10_000,
  preflightMs: 20_000,
  listMs: 900_000,
  // Less than a request is waited for: who is late is told, and not the store.
  credentialsMs: 15_000,
} as const satisfies Required<S3Timeouts>

export function resolveTimeouts(timeouts: S3Timeouts = {}): Required<{ [K in keyof S3Timeouts]: number }> {
  return {
    deadlineMs: timeouts.deadlineMs ?? DEFAULT_TIMEOUTS.deadlineMs,
    attemptMs: timeouts.attemptMs ?? DEFAULT_TIMEOUTS.attemptMs,
    connectMs: timeouts.connectMs ?? DEFAULT_TIMEOUTS.connectMs,
    preflightMs: timeouts.preflightMs ?? DEFAULT_TIMEOUTS.preflightMs,
    listMs: timeouts.listMs ?? DEFAULT_TIMEOUTS.listMs,
    credentialsMs: timeouts.credentialsMs ?? DEFAULT_TIMEOUTS.credentialsMs,
  }
}

export function createClient(
  options: S3Options,
  endpoint: Endpoint | undefined,
  region: string | undefined,
  { connectMs, credentialsMs }: Pick<Required<S3Timeouts>, 'connectMs' | 'credentialsMs'>,
): S3Client {
  const env = options.policy?.env
  const client = new sdk.S3Client({
    ...(endpoint ? { endpoint: endpoint.url.href } : {}),
    forcePathStyle: options.forcePathStyle ?? endpoint !== undefined,
    ...(region === undefined ? {} : { region }),
    ...(options.credentials ? { credentials: options.credentials } : {}),
    ...(env && !options.credentials
      ? { credentialDefaultProvider: (init) => createCredentials(init, env, credentialsMs ?? 0) }
      : {}),
    // Retries are ours (retry.ts): the SDK's stop when its bucket of tokens is empty.
    maxAttempts: 1,
    // R2, MinIO and others do not know the SDK's newer CRC trailers; Content-MD5 is understood everywhere.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // "Expect: 100-continue" would open a socket outside the pool for each larger object.
    expectContinueHeader: false,
    followRegionRedirects: false,
    // Attempts end by their own signal (retry.ts), and so does what waits for a socket.
    requestHandler: createHandler({
      connectionTimeout: connectMs,
      ...agentsOf(options, endpoint, region),
    }),
  })
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args
      if (isRequest(request) && request.protocol === 'http:' && !isLoopbackHost(request.hostname)) {
        throw insecureEndpoint(request.hostname)
      }
      return next(args)
    },
    { step: 'finalizeRequest', name: 'pregenNoPlainHttp' },
  )
  return client
}

/** Sockets that lead where the endpoint may lead, or to the proxy that the environment names. */
function agentsOf(
  { concurrency = 16, policy, resolve }: S3Options,
  endpoint: Endpoint | undefined,
  region: string | undefined,
): { httpAgent: http.Agent; httpsAgent: https.Agent | http.Agent } {
  const pool = { maxSockets: concurrency + 8, keepAlive: true }
  const lookup = endpoint && endpointLookup(endpoint, resolve)
  const ca = policy && authoritiesOf(policy.env)
  const direct = { ...pool, ...(lookup ? { lookup } : {}), ...(ca ? { ca } : {}) }
  const url = endpoint?.url ?? new URL(`https://s3.${region ?? 'us-east-1'}.amazonaws.com`)
  const proxied = policy && proxyAgentFor(url, { ...pool, ca })
  const isHttps = url.protocol === 'https:'
  return {
    httpAgent: (!isHttps && proxied) || new http.Agent(direct),
    httpsAgent: (isHttps && proxied) || new https.Agent(direct),
  }
}

export function defaultRegion(endpoint: URL | undefined, policy?: EndpointPolicy): string | undefined {
  if (!endpoint) return policy?.env.AWS_REGION || policy?.env.AWS_DEFAULT_REGION || undefined
  return endpoint.hostname.endsWith('.r2.cloudflarestorage.com') ? 'auto' : 'us-east-1'
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
