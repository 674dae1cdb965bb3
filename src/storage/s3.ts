/** S3 and what speaks like it: R2, MinIO and others. Buffers only, every PUT confirmed by its checksum. */
import { setMaxListeners } from 'node:events'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3'
import { md5Of } from './s3-answers.ts'
import { type CallLimits, createCalls, StoreRefusal } from './s3-calls.ts'
import { checkEndpoint, createClient, defaultRegion, resolveTimeouts, type S3Options } from './s3-client.ts'
import { isNotFound, UnconfirmedError } from './s3-error-kinds.ts'
import { preflight } from './s3-preflight.ts'
import { createWrites } from './s3-writes.ts'
import type { Storage, StoredObject } from './storage.ts'

export type { S3Options, S3Timeouts } from './s3-client.ts'

/** @throws PregenError `E_INSECURE_ENDPOINT`, `E_ENDPOINT_INVALID` */
export function createS3Storage(options: S3Options): Storage {
  const endpoint = options.endpoint === undefined ? undefined : checkEndpoint(options.endpoint)
  const region = options.region ?? defaultRegion(endpoint)
  const timeouts = resolveTimeouts(options.timeouts)
  const { bucket, credentials } = options
  const client = createClient(options, endpoint, region, timeouts.connectMs)
  const closing = new AbortController()
  setMaxListeners(0, closing.signal)
  const secrets = [credentials?.secretAccessKey, credentials?.sessionToken]
  const place = { bucket, endpoint: endpoint?.origin, region, secrets }
  const calls = createCalls(place, timeouts, closing.signal)
  const { call, explained } = calls

  /** null where there is no such object. */
  const orNull = async <T>(work: Promise<T>): Promise<T | null> => {
    try {
      return await work
    } catch (error) {
      if (error instanceof StoreRefusal && isNotFound(error.cause)) return null
      throw error
    }
  }

  const head = async (key: string, limits: CallLimits): Promise<StoredObject> => {
    const work = async (abortSignal: AbortSignal) => {
      const answer = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), { abortSignal })
      if (answer.ETag === undefined) throw new UnconfirmedError('the answer carries no ETag')
      return answer
    }
    const { value } = await call(`HEAD ${key}`, work, limits)
    const encrypted = value.ServerSideEncryption?.startsWith('aws:kms') || value.SSECustomerAlgorithm
    return { key, sizeBytes: value.ContentLength ?? 0, md5: encrypted ? null : md5Of(value.ETag) }
  }
  const headOf = (key: string, limits: CallLimits) => orNull(head(key, limits))

  const read: Storage['read'] = async (key, { signal } = {}) => {
    const work = async (abortSignal: AbortSignal) => {
      const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), { abortSignal })
      const body = await answer.Body?.transformToByteArray()
      if (!body || answer.ETag === undefined) throw new UnconfirmedError('the answer carries no object')
      return { body, etag: answer.ETag }
    }
    const answered = await explained(orNull(call(`GET ${key}`, work, { signal })))
    return answered?.value ?? null
  }

  const remove = (key: string, limits: CallLimits) =>
    call(
      `DELETE ${key}`,
      (abortSignal) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal }),
      limits,
    )
  const folder = options.probePrefix ?? 'foigoi'

  return {
    kind: 's3',
    description: endpoint ? `s3://${bucket} (${endpoint.host})` : `s3://${bucket}`,
    ...createWrites(client, bucket, calls, folder, remove),
    head: (key, { signal } = {}) => explained(headOf(key, { signal })),
    read,
    get: async (key, limits) => (await read(key, limits))?.body ?? null,
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
    preflight: () => preflight({ client, calls, folder, deadlineMs: timeouts.preflightMs, headOf, remove }),
    async close() {
      closing.abort(new DOMException('the storage was closed', 'AbortError'))
      client.destroy()
    },
  }
}
