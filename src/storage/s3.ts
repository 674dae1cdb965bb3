/** S3 and what speaks like it: R2, MinIO and others. Buffers only, every PUT confirmed by its checksum. */
import { setMaxListeners } from 'node:events'
import { Readable } from 'node:stream'
import { answerTooLarge, MAX_OBJECT_BYTES, readAnswer } from './read-answer.ts'
import { bareEtag, checkedEtag, md5Of } from './s3-answers.ts'
import { type CallLimits, createCalls, StoreRefusal } from './s3-calls.ts'
import { createClient, defaultRegion, resolveTimeouts, type S3Options } from './s3-client.ts'
import { resolveEndpoint } from './s3-endpoint.ts'
import { isNotFound, UnconfirmedError } from './s3-error-kinds.ts'
import { fetchPage, listObjects } from './s3-list.ts'
import { preflight } from './s3-preflight.ts'
import { createWrites } from './s3-writes.ts'
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand } from './sdk.ts'
import type { Storage, StoredObject } from './storage.ts'

export type { S3Options, S3Timeouts } from './s3-client.ts'

/** @throws PregenError `E_INSECURE_ENDPOINT`, `E_ENDPOINT_INVALID`, `E_ENDPOINT_PRIVATE` */
export function createS3Storage(options: S3Options): Storage {
  const reached = resolveEndpoint(options.endpoint, options.policy)
  const endpoint = reached?.url
  const region = options.region ?? defaultRegion(endpoint, options.policy)
  const timeouts = resolveTimeouts(options.timeouts)
  const { bucket, credentials } = options
  const client = createClient(options, reached, region, timeouts)
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
      checkedEtag(answer.ETag)
      return answer
    }
    const { value } = await call(`HEAD ${key}`, work, limits)
    const encrypted = value.ServerSideEncryption?.startsWith('aws:kms') || value.SSECustomerAlgorithm
    return {
      key,
      sizeBytes: value.ContentLength ?? 0,
      md5: encrypted ? null : md5Of(value.ETag),
      etag: bareEtag(value.ETag),
    }
  }
  const headOf = (key: string, limits: CallLimits) => orNull(head(key, limits))

  const read: Storage['read'] = async (key, { signal, maxBytes = MAX_OBJECT_BYTES } = {}) => {
    const work = async (abortSignal: AbortSignal, noteSign: () => void) => {
      const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }), { abortSignal })
      const { Body, ETag, ContentLength = 0 } = answer
      if (!(Body instanceof Readable)) throw new UnconfirmedError('the answer carries no object')
      try {
        if (ContentLength > maxBytes) throw answerTooLarge(`s3://${bucket}/${key}`, maxBytes)
        const etag = checkedEtag(ETag)
        return {
          body: await readAnswer(Body, {
            maxBytes,
            what: `s3://${bucket}/${key}`,
            signal: abortSignal,
            noteSign,
          }),
          etag,
        }
      } finally {
        Body.destroy()
      }
    }
    const answered = await explained(orNull(call(`GET ${key}`, work, { signal, longestMs: timeouts.listMs })))
    return answered?.value ?? null
  }

  const remove = (key: string, limits: CallLimits) =>
    call(
      `DELETE ${key}`,
      (abortSignal) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal }),
      limits,
    )
  const folder = options.probePrefix ?? 'foigoi'
  const writes = createWrites({ client, bucket, calls, probeFolder: folder, remove })
  const lookInto = (prefix: string, limits: CallLimits) => fetchPage(client, calls, { prefix, limits })

  return {
    kind: 's3',
    description: endpoint ? `s3://${bucket} (${endpoint.host})` : `s3://${bucket}`,
    ...writes,
    head: (key, { signal } = {}) => explained(headOf(key, { signal })),
    read,
    get: async (key, limits) => (await read(key, limits))?.body ?? null,
    list: (prefix, options = {}) =>
      listObjects({ client, calls, deadlineMs: timeouts.listMs }, prefix, options),
    async delete(key, { signal } = {}) {
      await explained(remove(key, { signal }))
    },
    preflight: () =>
      preflight({
        ...{ put: writes.put, headOf, remove, lookInto },
        calls,
        folder,
        deadlineMs: timeouts.preflightMs,
      }),
    async close() {
      closing.abort(new DOMException('the storage was closed', 'AbortError'))
      client.destroy()
    },
  }
}
