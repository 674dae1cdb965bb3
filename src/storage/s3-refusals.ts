/** What a store may refuse for good, each with its one message. */
import type { ErrorCode } from '../error-codes.ts'

export interface S3Place {
  readonly bucket: string
  /** undefined = AWS. */
  readonly endpoint: string | undefined
  readonly region: string | undefined
  /** Values that no message may hold. */
  readonly secrets: readonly (string | undefined)[]
}

export interface Refusal {
  readonly code: ErrorCode
  readonly names: readonly string[]
  readonly statuses?: readonly number[]
  readonly what: (place: S3Place) => string
  readonly help: string
}

const ROWS: readonly Refusal[] = [
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

/** Name of a failure and the HTTP status that it came with. */
export interface FailureShape {
  readonly name: string
  readonly status: number | undefined
}

/** The row that a failure belongs to: by its name, else by its status. */
export function refusalOf({ name, status }: FailureShape): Refusal | undefined {
  return (
    refusalByName(name) ??
    (status === undefined ? undefined : ROWS.find((row) => row.statuses?.includes(status)))
  )
}

export function refusalByName(name: string): Refusal | undefined {
  return ROWS.find((row) => row.names.includes(name))
}
