/** PUTs of whole objects, each confirmed by its checksum; and those that hold only while nobody else has written. */
import { createHash, randomBytes } from 'node:crypto'
import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3'
import { confirmedEtag, hasHeaders } from './s3-answers.ts'
import { type CallLimits, type Calls, StoreRefusal } from './s3-calls.ts'
import { isConflict, isForbidden, isNotFound, isRetryable, isUnsupported } from './s3-error-kinds.ts'
import { createDirectPut } from './s3-put.ts'
import { PutObjectCommand } from './sdk.ts'
import type { Storage, StorageObject } from './storage.ts'

export interface Writes {
  /** As `Storage.put`, within the given limits. */
  readonly put: (
    object: StorageObject,
    limits?: Pick<CallLimits, 'signal' | 'onProgress' | 'deadlineMs'>,
  ) => ReturnType<Storage['put']>
  readonly replace: Storage['replace']
  readonly heedsConditions: Storage['heedsConditions']
}

export interface WritesOptions {
  readonly client: S3Client
  readonly bucket: string
  readonly calls: Calls
  readonly probeFolder: string
  readonly remove: (key: string, limits: CallLimits) => Promise<unknown>
}

/**
 * @param probeFolder where the probe of `heedsConditions` is put
 * @param remove a DELETE
 */
export function createWrites({ client, bucket, calls, probeFolder, remove }: WritesOptions): Writes {
  const { call, explained } = calls
  const direct = createDirectPut(client)

  const put: Writes['put'] = async (object, given = {}) => {
    const { key, body, contentType, cacheControl } = object
    const sums = sumsOf(object)
    const headers = {
      'content-md5': sums.contentMd5,
      'content-type': contentType,
      'cache-control': cacheControl,
    }
    let isFirst = true
    const send = async (attemptSignal: AbortSignal, noteSign: () => void) => {
      // What goes wrong once is left to the whole client, which mends a clock and explains a refusal.
      const fast = isFirst
        ? direct.send({ key, body, sha256: sums.sha256, headers }, { signal: attemptSignal, noteSign })
        : null
      isFirst = false
      if (fast) return confirmedEtag(await fast, sums.md5)
      const command = new PutObjectCommand(inputOf(bucket, object, sums.contentMd5))
      command.middlewareStack.add(
        (next) => (args) => {
          const { request } = args
          direct.learn(request, key)
          // Signed as it is known already, so that the SDK does not hash the body again.
          if (hasHeaders(request)) request.headers['x-amz-content-sha256'] = sums.sha256
          return next(args)
        },
        { step: 'build', name: 'pregenPayloadHash' },
      )
      return confirmedEtag(await client.send(command, { abortSignal: attemptSignal }), sums.md5)
    }
    const limits = { ...given, bodyBytes: body.byteLength }
    const { value: etag, attempts } = await explained(call(`PUT ${key}`, send, limits))
    return { etag, attempts }
  }

  /** @throws StoreRefusal for what is no conflict */
  const replaceRaw: Writes['replace'] = async (object, expected, { signal } = {}) => {
    const sums = sumsOf(object)
    const condition = expected === null ? { IfNoneMatch: '*' } : { IfMatch: expected }
    const send = async (abortSignal: AbortSignal) => {
      const command = new PutObjectCommand({ ...inputOf(bucket, object, sums.contentMd5), ...condition })
      return confirmedEtag(await client.send(command, { abortSignal }), sums.md5)
    }
    try {
      const { value: etag, attempts } = await call(`PUT ${object.key}`, send, {
        bodyBytes: object.body.byteLength,
        signal,
        // A conflict is told at once: the same PUT cannot win any more.
        isRetryable: (error) => !isConflict(error) && isRetryable(error),
      })
      return { etag, attempts }
    } catch (error) {
      if (!(error instanceof StoreRefusal)) throw error
      const isGone = expected !== null && isNotFound(error.cause)
      if (isConflict(error.cause) || isGone) return null
      throw error
    }
  }

  /** Both conditions on an object of the store's own: each PUT must be refused. */
  const probeConditions = async (limits: { signal?: AbortSignal | undefined }): Promise<boolean> => {
    const probe: StorageObject = {
      key: `${probeFolder}/.pregen-probe-${randomBytes(6).toString('hex')}`,
      body: new TextEncoder().encode('pregen'),
      contentType: 'text/plain',
      cacheControl: 'no-store',
    }
    await put(probe, limits)
    try {
      for (const wrong of [null, `"${'0'.repeat(32)}"`]) {
        if ((await replaceRaw(probe, wrong, limits)) !== null) return false
      }
      return true
    } catch (error) {
      if (error instanceof StoreRefusal && isUnsupported(error.cause)) return false
      throw error
    } finally {
      await remove(probe.key, limits).catch((error: unknown) => {
        // The preflight has told of a policy that lets nothing be deleted.
        if (!(error instanceof StoreRefusal && isForbidden(error.cause))) throw error
      })
    }
  }

  let heeds: Promise<boolean> | undefined
  return {
    put,
    replace: (object, expected, options) => explained(replaceRaw(object, expected, options)),
    heedsConditions(options = {}) {
      heeds ??= explained(probeConditions(options)).catch((error: unknown) => {
        // What failed in passing is asked again.
        heeds = undefined
        throw error
      })
      return heeds
    },
  }
}

interface Sums {
  /** Lower-case hex. */
  readonly md5: string
  readonly sha256: string
  /** Base64, as the header wants it. */
  readonly contentMd5: string
}

function sumsOf({ body, md5: knownMd5, sha256: knownSha256 }: StorageObject): Sums {
  const md5 = knownMd5 ?? createHash('md5').update(body).digest('hex')
  const sha256 = knownSha256 ?? createHash('sha256').update(body).digest('hex')
  return { md5, sha256, contentMd5: Buffer.from(md5, 'hex').toString('base64') }
}

function inputOf(bucket: string, object: StorageObject, contentMd5: string): PutObjectCommandInput {
  return {
    Bucket: bucket,
    Key: object.key,
    Body: object.body,
    ContentLength: object.body.byteLength,
    ContentMD5: contentMd5,
    ContentType: object.contentType,
    CacheControl: object.cacheControl,
  }
}
