/** Listings of a bucket that others may have filled, or of a server that only looks like one. */
import type { ListObjectsV2CommandOutput, S3Client } from '@aws-sdk/client-s3'
import { PregenError } from '../errors.ts'
import { compareKeys } from './memory.ts'
import { bareEtag, md5Of } from './s3-answers.ts'
import type { CallLimits, Calls } from './s3-calls.ts'
import { UnconfirmedError } from './s3-error-kinds.ts'
import { ListObjectsV2Command } from './sdk.ts'
import type { ListOptions, StoredObject } from './storage.ts'

/** Keys a page: as many as fit into the 1 MiB that an answer may have, were each as long as S3 allows. */
const PAGE_KEYS = 800
/** Eight million objects. */
const MOST_PAGES = 10_000
/** Stores give an empty page here and there, after deletions; not again and again. */
const MOST_EMPTY_PAGES = 100

export interface ListParts {
  readonly client: S3Client
  readonly calls: Calls
  /** All pages together. */
  readonly deadlineMs: number
}

/**
 * All objects under a prefix. Ends whatever the store answers: at a token that it gave before, at a number of pages, at
 * a time.
 * @throws PregenError `E_LIST_ENDLESS`, and what calls throw
 */
export async function* listObjects(
  { client, calls, deadlineMs }: ListParts,
  prefix: string,
  { signal, onIgnored, startAfter, upTo, deadlineMs: pageMs }: ListOptions,
): AsyncIterable<StoredObject> {
  const { bucket } = calls.place
  const end = performance.now() + deadlineMs
  const endless = (why: string) =>
    new PregenError('E_LIST_ENDLESS', `the listing of s3://${bucket}/${prefix} does not end: ${why}`, {
      help: 'Correct storage.endpoint: what answers there is no S3 store. If it is one, list the prefix with another tool.',
    })
  const seen = new Set<string>()
  let token: string | undefined
  let emptyPages = 0
  for (let pages = 1; ; pages++) {
    const page = await calls.explained(
      fetchPage(client, calls, { prefix, token, startAfter, limits: { signal, deadlineMs: pageMs } }),
    )
    let keys = 0
    for (const { Key, Size, ETag } of page.Contents ?? []) {
      if (Key === undefined) continue
      keys += 1
      if (upTo !== undefined && compareKeys(Key, upTo) > 0) return
      if (isUsable(Key, prefix))
        yield { key: Key, sizeBytes: sizeOf(Size), md5: md5Of(ETag), etag: bareEtag(ETag) }
      else onIgnored?.(Key)
    }
    if (!page.IsTruncated) return
    token = page.NextContinuationToken ?? ''
    if (seen.has(token)) throw endless('its pages repeat')
    seen.add(token)
    emptyPages = keys === 0 ? emptyPages + 1 : 0
    if (emptyPages > MOST_EMPTY_PAGES) throw endless('its pages are empty')
    if (pages >= MOST_PAGES) throw endless(`it has more than ${MOST_PAGES} pages`)
    if (performance.now() >= end) throw endless(`it takes more than ${Math.round(deadlineMs / 1000)} s`)
  }
}

interface PageRequest {
  readonly prefix: string
  readonly token?: string | undefined
  readonly startAfter?: string | undefined
  readonly limits: CallLimits
}

/** One page, proven to be one of this bucket. @throws StoreRefusal where it may not be listed */
export async function fetchPage(
  client: S3Client,
  { call, place }: Calls,
  { prefix, token, startAfter, limits }: PageRequest,
): Promise<ListObjectsV2CommandOutput> {
  const range = token === undefined ? { StartAfter: startAfter } : { ContinuationToken: token }
  const input = { Bucket: place.bucket, Prefix: prefix, MaxKeys: PAGE_KEYS, ...range }
  const work = async (abortSignal: AbortSignal) => {
    const answer = await client.send(new ListObjectsV2Command(input), { abortSignal })
    // A page that is no listing reads as an empty one.
    if (answer.Name === undefined && answer.IsTruncated === undefined) {
      throw new UnconfirmedError('the answer is no listing')
    }
    if (answer.IsTruncated && !answer.NextContinuationToken) {
      throw new UnconfirmedError('the listing is cut off, and does not say where it goes on')
    }
    return answer
  }
  return (await call(`LIST ${prefix}`, work, limits)).value
}

/** Whether a key is one that was asked for, and could have been put there by pregen. */
function isUsable(key: string, prefix: string): boolean {
  return (
    key.startsWith(prefix) &&
    !/[\p{Cc}\p{Cf}\u2028\u2029\\]/u.test(key) &&
    !key.split('/').some((part) => part === '..' || part === '.')
  )
}

/** −1, which no object has, for a size that is none. */
function sizeOf(size: number | undefined): number {
  return size !== undefined && Number.isSafeInteger(size) && size >= 0 ? size : -1
}
