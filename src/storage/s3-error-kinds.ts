/** What a failed call failed with, as far as code must know: may it pass, is it a refusal, is it the network? */
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { isCertificateFault } from '../net/certificates.ts'
import { AttemptTimeout, RetriesExhausted } from '../net/retry.ts'
import { type FailureShape, refusalByName, refusalOf } from './s3-refusals.ts'

/** The store's confirmation does not fit what was sent; another attempt sends it again. */
export class UnconfirmedError extends Error {
  override readonly name = 'UnconfirmedError'
}

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EPROTO',
])

const TRANSIENT_NAMES = new Set([
  'TimeoutError',
  'RequestTimeout',
  'SlowDown',
  'ServiceUnavailable',
  'InternalError',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  'OperationAborted',
  'ConditionalRequestConflict',
  // What arrived is not what was sent.
  'BadDigest',
  'InvalidDigest',
  'XAmzContentSHA256Mismatch',
  'IncompleteBody',
  'MissingContentLength',
])

const CONFLICT_NAMES = new Set(['PreconditionFailed', 'ConditionalRequestConflict', 'OperationAborted'])
const UNSUPPORTED_NAMES = new Set(['NotImplemented', 'InvalidArgument', 'InvalidRequest', 'MethodNotAllowed'])

/** Whether another attempt may help. The SDK mends a skewed clock by itself after the first refusal. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof AttemptTimeout || error instanceof UnconfirmedError) return true
  if (error instanceof PregenError) return false
  if (isCertificateFault(error) || isRegionFault(error)) return false
  const { name, status } = shapeOf(error)
  if (TRANSIENT_NAMES.has(name) || name === 'RequestTimeTooSkewed') return true
  if (refusalByName(name) || isUnsupported(error)) return false
  if (status !== undefined) return status >= 500 || status === 429 || status === 408 || status < 300
  const code = networkCodeOf(error)
  return code !== undefined || isCutOff(error)
}

/** The SDK knows no region, and none was given. */
export function isRegionFault(error: unknown): boolean {
  return /^Region (is missing|not accepted)/.test(messageOf(error))
}

/** Whether the policy forbids the call, which for HEAD, LIST and DELETE is no reason to stop. */
export function isForbidden(error: unknown): boolean {
  const cause = causeOf(error)
  return !(cause instanceof PregenError) && refusalOf(shapeOf(cause))?.code === 'E_ACCESS_DENIED'
}

export function isNotFound(error: unknown): boolean {
  const { name, status } = shapeOf(causeOf(error))
  return name === 'NotFound' || name === 'NoSuchKey' || (status === 404 && name !== 'NoSuchBucket')
}

/** Another writer came in between: a condition no longer holds (412), or two PUTs met in the store (409). */
export function isConflict(error: unknown): boolean {
  const { name, status } = shapeOf(causeOf(error))
  return status === 412 || status === 409 || CONFLICT_NAMES.has(name)
}

/** The store does not know what it was asked for: a header, say, that came later than the store. */
export function isUnsupported(error: unknown): boolean {
  const { name, status } = shapeOf(causeOf(error))
  return status === 501 || UNSUPPORTED_NAMES.has(name)
}

/** An answer rather than a failure: some callers can do something with it. */
export function isVerdict(error: unknown): boolean {
  return isNotFound(error) || isForbidden(error) || isConflict(error) || isUnsupported(error)
}

/** What the retries ended with. */
export function causeOf(error: unknown): unknown {
  return error instanceof RetriesExhausted ? error.cause : error
}

const MOST_NAME_CHARACTERS = 80

/** Name and HTTP status as the SDK's errors carry them. */
export function shapeOf(error: unknown): FailureShape {
  if (!(error instanceof Error)) return { name: 'Error', status: undefined }
  let status: number | undefined
  if ('$metadata' in error && typeof error.$metadata === 'object' && error.$metadata !== null) {
    const metadata = error.$metadata
    if ('httpStatusCode' in metadata && typeof metadata.httpStatusCode === 'number') {
      status = metadata.httpStatusCode
    }
  }
  // A store may call its faults what it likes, at any length.
  return { name: String(error.name).slice(0, MOST_NAME_CHARACTERS), status }
}

/** `ECONNREFUSED` and its kin, certificates included; undefined for what is not of the network. */
export function networkCodeOf(error: unknown): string | undefined {
  const code = errorCode(error)
  if (code === undefined) return undefined
  // HPE_…: what answers speaks no HTTP, or without end.
  const isOfNode = code.startsWith('ERR_TLS') || code.startsWith('HPE_') || code.includes('CERT')
  return NETWORK_CODES.has(code) || isOfNode ? code : undefined
}

function isCutOff(error: unknown): boolean {
  return isParseError(error) || /socket hang up|aborted|terminated/i.test(messageOf(error))
}

/** The answer is none that a store would give. */
export function isParseError(error: unknown): boolean {
  return (
    error instanceof SyntaxError ||
    /Deserialization error|parse|char '.' is not expected/i.test(messageOf(error))
  )
}
