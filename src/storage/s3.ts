/** S3 and what speaks like it: R2, MinIO and others. Buffers only, every PUT confirmed by its checksum. */
import { createHash, randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { retry } from './retry.ts'
import { confirm, hasHeaders, md5Of } from './s3-answers.ts'
import { checkEndpoint, createClient, defaultRegion, resolveTimeouts, type S3Options } from './s3-client.ts'
import {
  isForbidden,
  isNotFound,
  isRetryable,
  type S3Place,
  storageError,
  UnconfirmedError,
} from './s3-errors.ts'
import { createDirectPut } from './s3-put.ts'
import type { Storage, StoredObject } from './storage.ts'

const SLOWEST_BYTES_PER_MS = 64
const RETRY_BASE_MS = 250
const RETRY_CAP_MS = 20_000

export type { S3Options, S3Timeouts } from './s3-client.ts'

/** @throws PregenError `E_INSECURE_ENDPOINT`, `E_ENDPOINT_INVALID` */
export function createS3Storage(options: S3Options): Storage {
  const endpoint = options.endpoint === undefined ? undefined : checkEndpoint(options.endpoint)
  const region = options.region ?? defaultRegion(endpoint)
  const timeouts = resolveTimeouts(options.timeouts)
  const { bucket, credentials } = options
  const place: S3Place = {
    bucket,
    endpoint: endpoint?.origin,
    region,
    secrets: [credentials?.secretAccessKey, credentials?.sessionToken],
  }
  const client = createClient(options, endpoint, region, timeouts.connectMs)

  const closing = new AbortController()
  setMaxListeners(0, closing.signal)

  /** One call with retries; what it fails with in the end is a clear message. */
  const call = async <T>(
    operation: string,
    attempt: (signal: AbortSignal) => Promise<T>,
    limits: CallLimits = {},
  ): Promise<{ value: T; attempts: number }> => {
    const signal = limits.signal ?? closing.signal
    try {
      return await retry(attempt, {
        deadlineMs: limits.deadlineMs ?? timeouts.deadlineMs,
        attemptMs: timeouts.attemptMs + (limits.bodyBytes ?? 0) / SLOWEST_BYTES_PER_MS,
        baseMs: RETRY_BASE_MS,
        capMs: RETRY_CAP_MS,
        signal,
        isRetryable,
      })
    } catch (error) {
      signal.throwIfAborted()
      if (isNotFound(error) || isForbidden(error)) throw new StoreRefusal(operation, error)
      throw storageError(error, operation, place)
    }
  }
  /** The plain message of a refusal that the caller has no other answer to. */
  const explained = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      throw error instanceof StoreRefusal ? storageError(error.cause, error.operation, place) : error
    }
  }

  const direct = createDirectPut(client)
  const put: Storage['put'] = async (object, { signal } = {}) => {
    const { key, body, contentType, cacheControl } = object
    const md5 = object.md5 ?? createHash('md5').update(body).digest('hex')
    const sha256 = object.sha256 ?? createHash('sha256').update(body).digest('hex')
    const contentMd5 = Buffer.from(md5, 'hex').toString('base64')
    const headers = { 'content-md5': contentMd5, 'content-type': contentType, 'cache-control': cacheControl }
    let isFirst = true
    const send = async (attemptSignal: AbortSignal) => {
      // What goes wrong once is left to the whole client, which mends a clock and explains a refusal.
      const answer = isFirst ? direct.send({ key, body, sha256, headers }, attemptSignal) : null
      isFirst = false
      if (answer) return confirm(await answer, md5)
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: body,
        ContentLength: body.byteLength,
        ContentMD5: contentMd5,
        ContentType: contentType,
        CacheControl: cacheControl,
      })
      command.middlewareStack.add(
        (next) => (args) => {
          const { request } = args
          direct.learn(request, key)
          // Signed as it is known already, so that the SDK does not hash the body again.
          if (hasHeaders(request)) request.headers['x-amz-content-sha256'] = sha256
          return next(args)
        },
        { step: 'build', name: 'pregenPayloadHash' },
      )
      return confirm(await client.send(command, { abortSignal: attemptSignal }), md5)
    }
    const limits = { bodyBytes: body.byteLength, signal }
    const { value: etag, attempts } = await explained(call(`PUT ${key}`, send, limits))
    return { etag, attempts }
  }

  const headOf = async (key: string, limits: CallLimits = {}): Promise<StoredObject | null> => {
    try {
      const { value } = await call(
        `HEAD ${key}`,
        async (abortSignal) => {
          const answer = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), {
            abortSignal,
          })
          if (answer.ETag === undefined) throw new UnconfirmedError('the answer carries no ETag')
          return answer
        },
        limits,
      )
      const encrypted = value.ServerSideEncryption?.startsWith('aws:kms') || value.SSECustomerAlgorithm
      return { key, sizeBytes: value.ContentLength ?? 0, md5: encrypted ? null : md5Of(value.ETag) }
    } catch (error) {
      if (error instanceof StoreRefusal && isNotFound(error.cause)) return null
      throw error
    }
  }

  const remove = (key: string, limits: CallLimits = {}) =>
    call(
      `DELETE ${key}`,
      (abortSignal) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal }),
      limits,
    )

  return {
    kind: 's3',
    description: endpoint ? `s3://${bucket} (${endpoint.host})` : `s3://${bucket}`,
    put,
    head: (key, { signal } = {}) => explained(headOf(key, { signal })),
    async get(key, { signal } = {}) {
      try {
        const work = async (abortSignal: AbortSignal) => {
          const input = { Bucket: bucket, Key: key }
          const answer = await client.send(new GetObjectCommand(input), { abortSignal })
          const body = await answer.Body?.transformToByteArray()
          if (!body || answer.ETag === undefined) throw new UnconfirmedError('the answer carries no object')
          return body
        }
        const { value } = await call(`GET ${key}`, work, { signal })
        return value
      } catch (error) {
        if (error instanceof StoreRefusal && isNotFound(error.cause)) return null
        throw error instanceof StoreRefusal ? storageError(error.cause, error.operation, place) : error
      }
    },
    async *list(prefix, { signal } = {}) {
      let token: string | undefined
      do {
        const input = { Bucket: bucket, Prefix: prefix, ContinuationToken: token }
        const work = async (abortSignal: AbortSignal) => {
          const answer = await client.send(new ListObjectsV2Command(input), { abortSignal })
          // A page that is no listing reads as an empty one.
          if (answer.Name === undefined && answer.IsTruncated === undefined) {
            throw new UnconfirmedError('the answer is no listing')
          }
          return answer
        }
        const { value: page } = await explained(call(`LIST ${prefix}`, work, { signal }))
        for (const { Key, Size, ETag } of page.Contents ?? []) {
          if (Key !== undefined) yield { key: Key, sizeBytes: Size ?? 0, md5: md5Of(ETag) }
        }
        token = page.IsTruncated ? page.NextContinuationToken : undefined
      } while (token !== undefined)
    },
    async delete(key, { signal } = {}) {
      await explained(remove(key, { signal }))
    },
    async preflight() {
      const warnings: string[] = []
      const limits = { deadlineMs: timeouts.preflightMs }
      const key = `${options.probePrefix ?? 'foigoi'}/.pregen-probe-${randomBytes(6).toString('hex')}`
      const body = new TextEncoder().encode('pregen')
      const md5 = createHash('md5').update(body).digest()
      await explained(
        call(
          `PUT ${key}`,
          async (abortSignal) => {
            const command = new PutObjectCommand({
              Bucket: bucket,
              Key: key,
              Body: body,
              ContentMD5: md5.toString('base64'),
              ContentType: 'text/plain',
              CacheControl: 'no-store',
            })
            return confirm(await client.send(command, { abortSignal }), md5.toString('hex'))
          },
          limits,
        ),
      )
      const allowed = async (what: string, consequence: string, work: Promise<unknown>) => {
        try {
          return await work
        } catch (error) {
          if (!(error instanceof StoreRefusal && isForbidden(error.cause))) {
            throw error instanceof StoreRefusal ? storageError(error.cause, error.operation, place) : error
          }
          warnings.push(`${what} is not allowed on s3://${bucket}: ${consequence}`)
          return undefined
        }
      }
      const found = await allowed(
        'HEAD (s3:GetObject)',
        'what is in the bucket cannot be verified',
        headOf(key, limits),
      )
      if (found === null) {
        throw storageError(
          new UnconfirmedError('the probe was stored but is not there'),
          `HEAD ${key}`,
          place,
        )
      }
      await allowed(
        'DELETE (s3:DeleteObject)',
        `the probe ${key} stays, and so may step pictures of an earlier run`,
        remove(key, limits),
      )
      return warnings
    },
    async close() {
      closing.abort(new DOMException('the storage was closed', 'AbortError'))
      client.destroy()
    },
  }
}

interface CallLimits {
  readonly deadlineMs?: number
  readonly bodyBytes?: number
  readonly signal?: AbortSignal | undefined
}

/** A 403 or 404, which some callers take as an answer. */
class StoreRefusal extends Error {
  readonly operation: string

  constructor(operation: string, cause: unknown) {
    super(operation, { cause })
    this.operation = operation
  }
}
