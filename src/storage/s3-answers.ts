/** What an answer of the store proves. */
import { UnconfirmedError } from './s3-error-kinds.ts'

/** The ETag of a PUT's answer, or `UnconfirmedError` where it does not prove that these bytes arrived. */
export function confirmedEtag(
  answer: {
    ETag?: string | undefined
    ServerSideEncryption?: string | undefined
    SSECustomerAlgorithm?: string | undefined
  },
  md5: string,
): string {
  const etag = withoutQuotes(checkedEtag(answer.ETag))
  // Under SSE-KMS and SSE-C an ETag is no MD5; there Content-MD5 has been checked by the store alone.
  const isMd5 = !answer.ServerSideEncryption?.startsWith('aws:kms') && !answer.SSECustomerAlgorithm
  if (isMd5 && etag.toLowerCase() !== md5) {
    throw new UnconfirmedError(`its ETag is ${etag}, the MD5 of what was sent is ${md5}`)
  }
  return etag
}

const MOST_ETAG_CHARACTERS = 256

/** An ETag as it can be remembered and sent back, or `UnconfirmedError`. */
export function checkedEtag(etag: string | undefined): string {
  if (!etag || etag === '""') throw new UnconfirmedError('the answer carries no ETag')
  if (etag.length > MOST_ETAG_CHARACTERS || !/^[\x20-\x7e]+$/.test(etag)) {
    throw new UnconfirmedError('the answer carries an ETag that is none')
  }
  return etag
}

/** An ETag without its quotes, as it is remembered and compared; null where there is none. */
export function bareEtag(etag: string | undefined): string | null {
  const isUsable = etag !== undefined && etag.length <= MOST_ETAG_CHARACTERS && /^[\x20-\x7e]+$/.test(etag)
  return isUsable && withoutQuotes(etag) !== '' ? withoutQuotes(etag) : null
}

function withoutQuotes(etag: string): string {
  return etag.replaceAll('"', '')
}

/** The MD5 that an ETag is, or null where it is none (a multipart upload's). */
export function md5Of(etag: string | undefined): string | null {
  const bare = etag?.replaceAll('"', '').toLowerCase()
  return bare !== undefined && /^[0-9a-f]{32}$/.test(bare) ? bare : null
}

/** Whether a request of the SDK's middleware has headers. */
export function hasHeaders(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === 'object' && request !== null && 'headers' in request
}
