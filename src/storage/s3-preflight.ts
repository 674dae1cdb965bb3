/** Proves a bucket before any model loads: a probe is put, looked at, listed and deleted, as all is in the run. */
import { randomBytes } from 'node:crypto'
import { type CallLimits, type Calls, StoreRefusal } from './s3-calls.ts'
import { isForbidden, UnconfirmedError } from './s3-error-kinds.ts'
import { storageError } from './s3-errors.ts'
import type { Writes } from './s3-writes.ts'

export interface PreflightParts {
  readonly put: Writes['put']
  readonly calls: Calls
  /** Folder of the probe. */
  readonly folder: string
  /** All attempts of each call together. */
  readonly deadlineMs: number
  readonly headOf: (key: string, limits: CallLimits) => Promise<unknown>
  /** A page of a listing. */
  readonly lookInto: (prefix: string, limits: CallLimits) => Promise<unknown>
  readonly remove: (key: string, limits: CallLimits) => Promise<unknown>
}

/**
 * @returns a warning for each call that the policy forbids and a run can do without
 * @throws PregenError `E_NO_BUCKET`, `E_ACCESS_DENIED` and their kin
 */
export async function preflight(parts: PreflightParts): Promise<readonly string[]> {
  const { put, calls, folder, deadlineMs, headOf, lookInto, remove } = parts
  const { explained, place } = calls
  const { bucket } = place
  const limits = { deadlineMs }
  const key = `${folder}/.pregen-probe-${randomBytes(6).toString('hex')}`
  const body = new TextEncoder().encode('pregen')
  // The first PUT of all, which the others are made after.
  await put({ key, body, contentType: 'text/plain', cacheControl: 'no-store' }, limits)

  const allowed = async (what: string, consequence: string, work: Promise<unknown>): Promise<Allowed> => {
    try {
      return { answer: await explained(orForbidden(work)), warnings: [] }
    } catch (error) {
      if (!(error instanceof Forbidden)) throw error
      return {
        answer: undefined,
        warnings: [`${what} is not allowed on s3://${bucket}: ${consequence}`],
      }
    }
  }
  // Neither waits for the other: a person waits for both.
  const [looked, listed] = await Promise.all([
    allowed('HEAD (s3:GetObject)', 'what is in the bucket cannot be verified', headOf(key, limits)),
    allowed(
      'LIST (s3:ListBucket)',
      'markers of an earlier run there are not taken back, and the bucket cannot be verified',
      lookInto(key, limits),
    ),
  ])
  if (looked.answer === null) {
    throw storageError(new UnconfirmedError('the probe was stored but is not there'), `HEAD ${key}`, place)
  }
  const removed = await allowed(
    'DELETE (s3:DeleteObject)',
    `the probe ${key} stays, and so may step pictures of an earlier run`,
    remove(key, limits),
  )
  return [looked, listed, removed].flatMap(({ warnings }) => warnings)
}

interface Allowed {
  /** undefined where the policy says no. */
  readonly answer: unknown
  readonly warnings: readonly string[]
}

/** The policy says no. */
class Forbidden extends Error {}

async function orForbidden<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof StoreRefusal && isForbidden(error.cause)) throw new Forbidden()
    throw error
  }
}
