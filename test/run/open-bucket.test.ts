import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../src/error-codes.ts'
import { PregenError } from '../../src/errors.ts'
import { proveBucket } from '../../src/run/open-bucket.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { parse } from '../cue-sheet/helpers.ts'

const SHEET = `version: v1
programs: { P0: {} }
storage:
  bucket: show
  endpoint: https://account.example.org
cues:
  dawn: { program: P0, prompt: hills, seeds: [1] }
`

/** What proving a bucket of the sheet comes to that refuses with this code. */
async function refusalOf(code: ErrorCode): Promise<{ error: unknown; refused: PregenError; closed: number }> {
  const refused = new PregenError(code, 'no', { help: 'Mend it.', cause: new Error('why'), exitCode: 2 })
  let closed = 0
  const storage: Pick<Storage, 'preflight' | 'close'> = {
    preflight: () => Promise.reject(refused),
    close: async () => void closed++,
  }
  const sheet = parse(SHEET)
  const error = await proveBucket(storage, () => undefined, sheet).catch((thrown: unknown) => thrown)
  return { error, refused, closed }
}

describe('a refusal by the bucket of a sheet', () => {
  it.each([
    ['E_NO_BUCKET', 4, 11],
    ['E_ACCESS_DENIED', 4, 11],
    ['E_WRONG_ENDPOINT', 5, 13],
    ['E_CERTIFICATE', 5, 13],
    // Not in the sheet: what it would stand below.
    ['E_WRONG_REGION', 3, 1],
  ] as const)('%s has its line', async (code, line, column) => {
    const { error, refused, closed } = await refusalOf(code)
    const { help, cause } = refused
    expect(error).toMatchObject({ code, message: 'no', help, cause, exitCode: 2 })
    expect(error).toMatchObject({ location: { file: 'shows/cues.yaml', line, column } })
    expect(closed).toBe(1)
  })

  it('has none where no setting is at fault', async () => {
    const { error, refused } = await refusalOf('E_WRONG_KEY')
    expect(error).toBe(refused)
    expect(refused.location).toBeUndefined()
  })
})
