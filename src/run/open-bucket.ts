/** The way to a bucket: the client of the one that a sheet names, and the proof that it can be written. */
import type { SheetStorage } from '../cue-sheet/sheet.ts'
import type { S3Timeouts } from '../storage/s3.ts'
import type { Storage } from '../storage/storage.ts'
import type { EmitRunEvent } from './events.ts'

/**
 * The bucket that a sheet names; the SDK loads here and not before.
 * @param timeouts shorter ones where a person waits and nothing is lost
 */
export async function openBucket(
  settings: SheetStorage,
  concurrency: number,
  timeouts?: S3Timeouts,
): Promise<Storage> {
  const [{ createS3Storage }, { prefixStorage }] = await Promise.all([
    import('../storage/s3.ts'),
    import('../storage/prefixed.ts'),
  ])
  const { bucket, endpoint, region, forcePathStyle, prefix } = settings
  const probePrefix = prefix === '' ? undefined : prefix
  const options = { bucket, endpoint, region, forcePathStyle, concurrency, probePrefix, timeouts }
  return prefixStorage(createS3Storage(options), prefix)
}

/**
 * Proves that a bucket can be written, and warns of what its policy forbids; one that cannot is closed again.
 * @throws PregenError `E_NO_BUCKET`, `E_ACCESS_DENIED` and their kin
 */
export async function proveBucket(storage: Storage, emit: EmitRunEvent): Promise<void> {
  try {
    for (const message of await storage.preflight())
      emit({ type: 'warning', code: 'W_BUCKET_POLICY', message })
  } catch (error) {
    await storage.close()
    throw error
  }
}
