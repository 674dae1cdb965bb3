/** What can go wrong with a bucket, as one clear message each. */
import type { ErrorCode } from '../error-codes.ts'
import { messageOf, PregenError } from '../errors.ts'
import { CERTIFICATE_HELP, isCertificateFault } from '../net/certificates.ts'
import { AttemptTimeout, RetriesExhausted } from '../net/retry.ts'
import { redact } from './redact.ts'
import {
  causeOf,
  isParseError,
  isRegionFault,
  networkCodeOf,
  shapeOf,
  UnconfirmedError,
} from './s3-error-kinds.ts'
import { refusalOf, type S3Place } from './s3-refusals.ts'

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
    code: ErrorCode,
    message: string,
    attempts: number,
    options: ConstructorParameters<typeof PregenError>[2],
  ) {
    super(code, message, options)
    this.attempts = attempts
  }
}

function explain(cause: unknown, place: S3Place): { code: ErrorCode; what: string; help: string } {
  const row = refusalOf(shapeOf(cause))
  if (row) return { code: row.code, what: row.what(place), help: row.help }
  if (isRegionFault(cause)) {
    return {
      code: 'E_NO_REGION',
      what: 'no region is known for the bucket',
      help: 'Set storage.region in the sheet, AWS_REGION or AWS_DEFAULT_REGION, or the region of the profile.',
    }
  }
  if (isCertificateFault(cause)) {
    return {
      code: 'E_CERTIFICATE',
      what: "the endpoint's certificate does not verify",
      help: CERTIFICATE_HELP,
    }
  }
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

function detailOf(error: unknown): string {
  const { name, status } = shapeOf(error)
  const parts = [
    networkCodeOf(error) ?? name,
    status === undefined ? '' : `HTTP ${status}`,
    messageOf(error).slice(0, 300),
  ]
  return parts.filter((part) => part !== '' && part !== 'Error').join(', ')
}
