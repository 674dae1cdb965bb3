/** What can go wrong with a bucket, as one clear message each; and which of it another attempt may mend. */
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { redact } from './redact.ts'
import { AttemptTimeout, RetriesExhausted } from './retry.ts'

export interface S3Place {
  readonly bucket: string
  /** undefined = AWS. */
  readonly endpoint: string | undefined
  readonly region: string | undefined
  /** Values that no message may hold. */
  readonly secrets: readonly (string | undefined)[]
}

/** The store's confirmation does not fit what was sent; another attempt sends it again. */
export class UnconfirmedError extends Error {
  override readonly name = 'UnconfirmedError'
}

interface Row {
  readonly code: string
  readonly names: readonly string[]
  readonly statuses?: readonly number[]
  readonly what: (place: S3Place) => string
  readonly help: string
}

const ROWS: readonly Row[] = [
  {
    code: 'E_NO_CREDENTIALS',
    names: ['CredentialsProviderError', 'CredentialsError', 'TokenProviderError'],
    what: () => 'no credentials for the bucket were found',
    help: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role.',
  },
  {
    code: 'E_NO_BUCKET',
    names: ['NoSuchBucket'],
    what: ({ bucket }) => `there is no bucket "${bucket}"`,
    help: 'Make it, or correct storage.bucket (and storage.endpoint: each account has its own).',
  },
  {
    code: 'E_WRONG_KEY',
    names: ['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidToken', 'AuthFailure', 'Unauthorized'],
    statuses: [401],
    what: () => 'the store does not accept the access key or its secret',
    help: 'See that key id and secret belong together and to this endpoint, and hold no stray space.',
  },
  {
    code: 'E_EXPIRED_KEY',
    names: ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'],
    what: () => 'the credentials have expired',
    help: 'Sign in again (aws sso login), or renew the token, then run the same command again.',
  },
  {
    code: 'E_CLOCK_SKEW',
    names: ['RequestTimeTooSkewed', 'RequestExpired'],
    what: () => "this machine's clock and the store's are too far apart",
    help: 'Set the clock (timedatectl set-ntp true).',
  },
  {
    code: 'E_WRONG_REGION',
    names: [
      'PermanentRedirect',
      'TemporaryRedirect',
      'AuthorizationHeaderMalformed',
      'IllegalLocationConstraintException',
    ],
    statuses: [301, 307],
    what: ({ bucket, region }) =>
      `the bucket "${bucket}" is not in the region ${region ?? 'of the environment'}`,
    help: 'Correct storage.region.',
  },
  {
    code: 'E_ACCESS_DENIED',
    names: ['AccessDenied', 'AllAccessDisabled', 'AccountProblem', 'Forbidden'],
    statuses: [403],
    what: ({ bucket }) => `access to the bucket "${bucket}" is denied`,
    help: 'The key needs s3:PutObject on it, and s3:GetObject, s3:ListBucket and s3:DeleteObject for verifying.',
  },
]

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
  'HPE_INVALID_CONSTANT',
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

/** Whether another attempt may help. The SDK mends a skewed clock by itself after the first refusal. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof AttemptTimeout || error instanceof UnconfirmedError) return true
  if (error instanceof PregenError) return false
  const { name, status } = shapeOf(error)
  if (TRANSIENT_NAMES.has(name) || name === 'RequestTimeTooSkewed') return true
  if (ROWS.some((row) => row.names.includes(name))) return false
  if (status !== undefined) return status >= 500 || status === 429 || status === 408 || status < 300
  const code = networkCodeOf(error)
  return code !== undefined || isCutOff(error)
}

/** Whether the policy forbids the call, which for HEAD, LIST and DELETE is no reason to stop. */
export function isForbidden(error: unknown): boolean {
  const cause = causeOf(error)
  return !(cause instanceof PregenError) && rowOf(cause)?.code === 'E_ACCESS_DENIED'
}

export function isNotFound(error: unknown): boolean {
  const { name, status } = shapeOf(causeOf(error))
  return name === 'NotFound' || name === 'NoSuchKey' || (status === 404 && name !== 'NoSuchBucket')
}

/**
 * The one message for a failed call.
 * @param operation such as `PUT foigoi/…/final.png`
 */
export function storageError(error: unknown, operation: string, place: S3Place): PregenError {
  if (error instanceof PregenError) return error
  const cause = causeOf(error)
  if (cause instanceof PregenError) return cause
  const attempts = error instanceof RetriesExhausted ? error.attempts : 1
  const { code, what, help } = explain(cause, place)
  const target = place.endpoint ? `s3://${place.bucket} at ${place.endpoint}` : `s3://${place.bucket}`
  const tries = attempts > 1 ? ` (after ${attempts} attempts)` : ''
  const message = redact(`${target}: ${what}${tries}: ${operation}: ${detailOf(cause)}`, place.secrets)
  // Not the SDK's own error: it carries the request with its signature.
  const clean = new Error(redact(`${shapeOf(cause).name}: ${messageOf(cause).slice(0, 300)}`, place.secrets))
  clean.stack = undefined
  return new UploadError(code, message, attempts, { help, cause: clean })
}

/** A `PregenError` that knows how many requests it took. */
export class UploadError extends PregenError {
  readonly attempts: number

  constructor(
    code: string,
    message: string,
    attempts: number,
    options: ConstructorParameters<typeof PregenError>[2],
  ) {
    super(code, message, options)
    this.attempts = attempts
  }
}

function explain(cause: unknown, place: S3Place): { code: string; what: string; help: string } {
  const row = rowOf(cause)
  if (row) return { code: row.code, what: row.what(place), help: row.help }
  if (cause instanceof UnconfirmedError) {
    return {
      code: 'E_UPLOAD_UNCONFIRMED',
      what: 'the answer does not confirm what was sent',
      help: 'Something between here and the store answers in its place (a sign-in page, a proxy?) or changes bytes.',
    }
  }
  if (cause instanceof AttemptTimeout || shapeOf(cause).name === 'TimeoutError') {
    return {
      code: 'E_UPLOAD_TIMEOUT',
      what: 'the store does not answer',
      help: 'See that the endpoint is right and the network up, then run `pregen upload` on the output folder.',
    }
  }
  const code = networkCodeOf(cause)
  if (code !== undefined || isParseError(cause)) {
    return {
      code: 'E_WRONG_ENDPOINT',
      what: isParseError(cause) ? 'what answers is no S3 store' : 'the endpoint cannot be reached',
      help: 'Correct storage.endpoint (R2: https://<ACCOUNT_ID>.r2.cloudflarestorage.com), or mend the network.',
    }
  }
  return {
    code: 'E_UPLOAD_FAILED',
    what: 'the store refused',
    help: 'Run `pregen upload` on the output folder: it sends only what is missing.',
  }
}

function rowOf(error: unknown): Row | undefined {
  const { name, status } = shapeOf(error)
  return (
    ROWS.find((row) => row.names.includes(name)) ??
    (status === undefined ? undefined : ROWS.find((row) => row.statuses?.includes(status)))
  )
}

function causeOf(error: unknown): unknown {
  return error instanceof RetriesExhausted ? error.cause : error
}

/** Name and HTTP status as the SDK's errors carry them. */
function shapeOf(error: unknown): { name: string; status: number | undefined } {
  if (!(error instanceof Error)) return { name: 'Error', status: undefined }
  let status: number | undefined
  if ('$metadata' in error && typeof error.$metadata === 'object' && error.$metadata !== null) {
    const metadata = error.$metadata
    if ('httpStatusCode' in metadata && typeof metadata.httpStatusCode === 'number') {
      status = metadata.httpStatusCode
    }
  }
  return { name: error.name, status }
}

function networkCodeOf(error: unknown): string | undefined {
  const code = errorCode(error)
  if (code === undefined) return undefined
  return NETWORK_CODES.has(code) || code.startsWith('ERR_TLS') || code.includes('CERT') ? code : undefined
}

function isCutOff(error: unknown): boolean {
  return isParseError(error) || /socket hang up|aborted|terminated/i.test(messageOf(error))
}

function isParseError(error: unknown): boolean {
  return (
    error instanceof SyntaxError ||
    /Deserialization error|parse|char '.' is not expected/i.test(messageOf(error))
  )
}

function detailOf(error: unknown): string {
  const { name, status } = shapeOf(error)
  const parts = [
    networkCodeOf(error) ?? name,
    status === undefined ? '' : `HTTP ${status}`,
    messageOf(error).slice(0, 300),
  ]
  return parts.filter((part) => part !== '' && part !== 'Error').join(', ')
}
