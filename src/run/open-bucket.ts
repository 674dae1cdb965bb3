/** The way to a bucket: the client of the one that a sheet names, and the proof that it can be written. */
import type { CueSheet, SheetStorage } from '../cue-sheet/sheet.ts'
import type { ErrorCode } from '../error-codes.ts'
import { PregenError } from '../errors.ts'
import type { S3Timeouts } from '../storage/s3.ts'
import { type EndpointPolicy, resolveEndpoint } from '../storage/s3-endpoint.ts'
import type { Storage } from '../storage/storage.ts'
import type { EmitRunEvent } from './events.ts'

export interface OpenOptions extends EndpointPolicy {
  /** Requests at once. */
  readonly concurrency: number
  /** Shorter ones where a person waits and nothing is lost. */
  readonly timeouts?: S3Timeouts | undefined
}

/**
 * The bucket that a sheet names; the SDK loads here and not before.
 * @throws PregenError `E_ENDPOINT_PRIVATE` and its kin
 */
export async function openBucket(settings: SheetStorage, open: OpenOptions): Promise<Storage> {
  const [{ createS3Storage }, { prefixStorage }] = await Promise.all([
    import('../storage/s3.ts'),
    import('../storage/prefixed.ts'),
  ])
  const { bucket, endpoint, region, forcePathStyle, prefix } = settings
  const { concurrency, timeouts, ...policy } = open
  const probePrefix = prefix === '' ? undefined : prefix
  const options = { bucket, endpoint, region, forcePathStyle, concurrency, probePrefix, timeouts, policy }
  return prefixStorage(createS3Storage(options), prefix)
}

/** How far an endpoint may lead, out of what a command was told. */
export function policyOf({ env, allowLocalEndpoint, allowPrivateEndpoint }: EndpointPolicy): EndpointPolicy {
  return { env, allowLocalEndpoint, allowPrivateEndpoint }
}

/**
 * What can be said about the endpoint that a sheet names without the network.
 * @throws PregenError `E_ENDPOINT_PRIVATE` and its kin, at the sheet's line
 */
export function checkBucketEndpoint({ storage, locate }: CueSheet, policy: EndpointPolicy): void {
  if (storage !== null) resolveEndpoint(storage.endpoint, policy, () => locate(['storage', 'endpoint']))
}

/** Which setting below `storage:` a refusal speaks of. */
const SETTING_OF: Partial<Record<ErrorCode, string>> = {
  E_WRONG_ENDPOINT: 'endpoint',
  E_CERTIFICATE: 'endpoint',
  E_NO_BUCKET: 'bucket',
  E_ACCESS_DENIED: 'bucket',
  E_WRONG_REGION: 'region',
  E_NO_REGION: 'region',
}

/** A refusal by a bucket with the line of the sheet that names what was refused; anything else as it is. */
export function atSetting(refusal: unknown, { locate }: Pick<CueSheet, 'locate'>): unknown {
  if (!(refusal instanceof PregenError) || refusal.location !== undefined) return refusal
  const { code, message, help, cause, exitCode } = refusal
  const setting = SETTING_OF[code]
  if (setting === undefined) return refusal
  return new PregenError(code, message, { location: locate(['storage', setting]), help, cause, exitCode })
}

/**
 * Proves that a bucket can be written, and warns of what its policy forbids; one that cannot is closed again.
 * @param sheet that names it
 * @throws PregenError `E_NO_BUCKET`, `E_ACCESS_DENIED` and their kin
 */
export async function proveBucket(
  storage: Pick<Storage, 'preflight' | 'close'>,
  emit: EmitRunEvent,
  sheet?: Pick<CueSheet, 'locate'>,
): Promise<void> {
  try {
    for (const message of await storage.preflight())
      emit({ type: 'warning', code: 'W_BUCKET_POLICY', message })
  } catch (error) {
    await storage.close()
    throw sheet === undefined ? error : atSetting(error, sheet)
  }
}

/** Closes a bucket that a fault leaves without an owner. */
export async function closingAfter<T>(storage: Storage | null, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await storage?.close()
    throw error
  }
}
