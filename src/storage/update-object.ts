/**
 * Read, change, write back: for the one object that several machines write. Each PUT holds only while what was read
 * still stands, so no writer undoes another's change; who loses the race reads anew and tries again.
 */
import { PregenError } from '../errors.ts'
import { pause, pauseBefore } from '../net/retry.ts'
import type { PutResult, Storage, StorageObject } from './storage.ts'

export interface UpdateOptions {
  /** Called once where the store knows no conditional writes. */
  readonly onUnguarded: () => void
  readonly signal?: AbortSignal | undefined
  /** How long others may win. Default four minutes. */
  readonly deadlineMs?: number | undefined
  /** Without conditional writes: mean pause between two looks. Default one second. */
  readonly settleMs?: number | undefined
}

export interface UpdatedObject {
  readonly body: Uint8Array
  /** null: it stood there already, from us or another. */
  readonly put: PutResult | null
}

const DEADLINE_MS = 240_000
const SETTLE_MS = 1000
const BASE_MS = 50
const CAP_MS = 5000
/** Looks in a row at which our change still stood. */
const CALM_LOOKS = 3

/**
 * @param change what stands there (null: nothing) → what is to stand there; applied to its own result it must give
 *   that again
 * @throws PregenError `E_UPLOAD_CONTESTED` when others won until the end of the time; what `change` throws
 */
export async function updateObject(
  storage: Storage,
  object: Omit<StorageObject, 'body' | 'sha256' | 'md5'>,
  change: (there: Uint8Array | null) => Uint8Array,
  options: UpdateOptions,
): Promise<UpdatedObject> {
  const { signal, deadlineMs = DEADLINE_MS, settleMs = SETTLE_MS } = options
  const end = performance.now() + deadlineMs
  const first = await storage.read(object.key, { signal })
  const wanted = change(first?.body ?? null)
  // Where nothing is to be changed, nothing is written, not even to find out about conditions.
  if (first !== null && Buffer.compare(first.body, wanted) === 0) return { body: wanted, put: null }
  const isGuarded = await storage.heedsConditions({ signal })
  if (!isGuarded) options.onUnguarded()
  let put: PutResult | null = null
  let calmLooks = 0
  for (let round = 1; ; round++) {
    const there = round === 1 ? first : await storage.read(object.key, { signal })
    const body = change(there?.body ?? null)
    const stands = there !== null && Buffer.compare(there.body, body) === 0
    calmLooks = stands ? calmLooks + 1 : 0
    // Also after a PUT whose answer was lost: its condition fails, but it is our own change that stands there.
    if (stands && (isGuarded || put === null || calmLooks >= CALM_LOOKS)) return { body, put }
    if (!stands) {
      const next = { ...object, body }
      const done = isGuarded
        ? await storage.replace(next, there?.etag ?? null, { signal })
        : await storage.put(next, { signal })
      put = done ?? put
      if (isGuarded && done) return { body, put: done }
    }
    if (performance.now() >= end) throw contestedError(storage, object.key)
    // Without conditions a writer that read before our PUT may still undo it: look again a little later.
    const pauseMs = isGuarded
      ? pauseBefore(round, { baseMs: BASE_MS, capMs: CAP_MS })
      : settleMs * (0.5 + Math.random())
    await pause(pauseMs, signal)
  }
}

function contestedError(storage: Storage, key: string): PregenError {
  return new PregenError(
    'E_UPLOAD_CONTESTED',
    `${storage.description}/${key} is being written by others without a pause`,
    { help: 'Run the same command again when fewer of them end at once.', exitCode: 3 },
  )
}
