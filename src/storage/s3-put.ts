/**
 * The hot path of a PUT: the client's credentials and request handler without its middleware, which costs more than
 * signing, hashing and sending together. Where requests go is learnt from one that the whole client has made.
 */
import type { S3Client } from '@aws-sdk/client-s3'
import type { SignatureV4 } from '@smithy/signature-v4'
import * as sdk from './sdk.ts'
import { createSlicer } from './slices.ts'

type Handler = S3Client['config']['requestHandler']
type HttpRequest = Parameters<Handler['handle']>[0]

export interface DirectPut {
  /** Shows it a PUT that the client is about to send. */
  learn(request: unknown, key: string): void
  /** null until it has learnt where requests go. */
  send(put: PutRequest, attempt: PutAttempt): Promise<PutAnswer> | null
}

export interface PutAttempt {
  readonly signal: AbortSignal
  /** Called whenever some of the body has been taken. */
  readonly noteSign: () => void
}

export interface PutRequest {
  readonly key: string
  readonly body: Uint8Array
  /** Lower-case hex. */
  readonly sha256: string
  readonly headers: Readonly<Record<string, string>>
}

export interface PutAnswer {
  readonly ETag: string | undefined
  readonly ServerSideEncryption: string | undefined
  readonly SSECustomerAlgorithm: string | undefined
}

export function createDirectPut(client: S3Client): DirectPut {
  let template: HttpRequest | undefined
  let base = ''
  const inSlices = createSlicer()
  const { region, credentials, sha256: hash } = client.config
  const signer = new sdk.SignatureV4({
    service: 's3',
    region,
    credentials,
    sha256: hash,
    uriEscapePath: false,
  })

  const send = async (request: HttpRequest, { signal, noteSign }: PutAttempt): Promise<PutAnswer> => {
    // The offset is the client's own, which it corrects when a store calls the clock wrong.
    const signingDate = new Date(Date.now() + (client.config.systemClockOffset ?? 0))
    const toSign: Parameters<SignatureV4['sign']>[0] = request
    const signed = await signer.sign(toSign, { signingDate })
    request.headers = signed.headers
    request.body = inSlices(request.body, noteSign)
    const { response } = await client.config.requestHandler.handle(request, { abortSignal: signal })
    // createHandler has read it, to its limit.
    const text = response.body instanceof Uint8Array ? Buffer.from(response.body).toString('utf8') : ''
    if (response.statusCode !== 200) throw serviceError(response.statusCode, text)
    return {
      ETag: response.headers.etag,
      ServerSideEncryption: response.headers['x-amz-server-side-encryption'],
      SSECustomerAlgorithm: response.headers['x-amz-server-side-encryption-customer-algorithm'],
    }
  }

  return {
    learn(request, key) {
      if (template || !isHttpRequest(request) || request.method !== 'PUT') return
      // Directory buckets sign in a way of their own.
      if (request.hostname.includes('s3express')) return
      const encoded = encodeKey(key)
      if (!request.path.endsWith(`/${encoded}`)) return
      base = request.path.slice(0, -encoded.length)
      template = request.clone()
    },
    send({ key, body, sha256, headers }, attempt) {
      if (!template) return null
      const request = template.clone()
      request.path = base + encodeKey(key)
      request.query = {}
      request.body = body
      request.headers = {
        ...headers,
        host: template.port === undefined ? template.hostname : `${template.hostname}:${template.port}`,
        'user-agent': 'pregen',
        'content-length': String(body.byteLength),
        'x-amz-content-sha256': sha256,
      }
      return send(request, attempt)
    },
  }
}

/** As the SDK encodes keys: RFC 3986, slashes kept. */
function encodeKey(key: string): string {
  const encode = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`
  return key
    .split('/')
    .map((part) => encodeURIComponent(part).replace(/[!'()*]/g, encode))
    .join('/')
}

/** An error in the shape of the SDK's: name = the store's code, and the status. */
function serviceError(status: number, text: string): Error {
  const tag = (name: string) => {
    const start = text.indexOf(`<${name}>`) + name.length + 2
    const end = text.indexOf('<', start)
    const isWhole = start > name.length + 1 && end >= 0 && text.startsWith(`</${name}>`, end)
    return isWhole ? text.slice(start, end) : undefined
  }
  const error = new Error(tag('Message') ?? `HTTP ${status}`)
  error.name = tag('Code') ?? 'UnknownError'
  return Object.assign(error, { $metadata: { httpStatusCode: status } })
}

function isHttpRequest(request: unknown): request is HttpRequest {
  return (
    typeof request === 'object' &&
    request !== null &&
    'path' in request &&
    'clone' in request &&
    typeof request.clone === 'function'
  )
}
