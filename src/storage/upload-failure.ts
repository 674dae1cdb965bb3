/** Objects that could not be sent, and why. */
import { messageOf, PregenError } from '../errors.ts'
import { UploadError } from './s3-errors.ts'
import type { Storage } from './storage.ts'

export interface UploadFailure {
  readonly key: string
  readonly attempts: number
  readonly error: PregenError
}

/** Failures that may have passed by the time that everything else is done. */
export const PASSING: ReadonlySet<string> = new Set([
  'E_UPLOAD_TIMEOUT',
  'E_UPLOAD_FAILED',
  'E_UPLOAD_UNCONFIRMED',
  'E_WRONG_ENDPOINT',
])
/** Stopped on purpose: told once, as pending, and not once an object. */
export const STOPPED: ReadonlySet<string> = new Set(['E_UPLOAD_ABORTED', 'E_UPLOAD_STALLED'])

/** Whatever was thrown, as the failure of one object. */
export function failureOf(key: string, error: unknown): UploadFailure {
  const attempts = error instanceof UploadError ? error.attempts : 0
  if (error instanceof PregenError) return { key, attempts, error }
  if (error instanceof Error && error.name === 'AbortError') return { key, attempts, error: abortedError() }
  return { key, attempts, error: new PregenError('E_UPLOAD_FAILED', messageOf(error), { cause: error }) }
}

/** `E_UPLOAD_ABORTED`: a signal, or a deadline. */
export function abortedError(): PregenError {
  return new PregenError('E_UPLOAD_ABORTED', 'the upload was stopped', {
    help: 'Run `pregen upload` on the output folder: it sends only what is missing.',
    exitCode: 3,
  })
}

/** `E_UPLOAD_STALLED`: the store confirms nothing any more. */
export function stalledError(storage: Storage, stallMs: number): PregenError {
  return new PregenError(
    'E_UPLOAD_STALLED',
    `${storage.description} has confirmed nothing for ${Math.round(stallMs / 1000)} s`,
    {
      help: 'Run `pregen upload` on the output folder when the store answers again: it sends only what is missing.',
      exitCode: 3,
    },
  )
}
