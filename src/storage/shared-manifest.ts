/** Shards have a manifest each but the bucket has one: a shard adds its own lines to what stands there. */
import { cacheControlOf, contentTypeOf, MANIFEST_NAME } from '../artifacts/file-names.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import { encodeManifest, mergeManifests, parseManifest } from '../artifacts/manifest.ts'
import { PregenError } from '../errors.ts'
import type { Storage } from './storage.ts'
import { updateObject } from './update-object.ts'
import { failureOf, type UploadFailure } from './upload-failure.ts'
import type { UploadEvent } from './upload-folder.ts'

export interface SharedManifestOptions {
  readonly storage: Storage
  readonly ledger: Ledger
  /** `foigoi/<version>/manifest.json` */
  readonly key: string
  /** This shard's own. */
  readonly ours: Uint8Array
  /** Whether the sheet has such a variant: other lines in the store are of an earlier sheet. Default: yes. */
  readonly isPlanned?: ((cue: string, variant: string) => boolean) | undefined
  readonly emit: (event: UploadEvent) => void
  readonly signal?: AbortSignal | undefined
  readonly settleMs?: number | undefined
}

export interface SharedManifestResult {
  readonly uploadedBytes: number
  /** 1 or 0: sent, or there already. */
  readonly uploaded: number
  readonly failure: UploadFailure | null
  /** Ended by the signal. */
  readonly isStopped: boolean
}

/** Lays our lines over those in the store, however many others do the same at the same moment. */
export async function sendSharedManifest(options: SharedManifestOptions): Promise<SharedManifestResult> {
  const { storage, ledger, key, ours, isPlanned, emit, signal } = options
  const nothing = { uploaded: 0, uploadedBytes: 0, failure: null, isStopped: false }
  const own = parseManifest(Buffer.from(ours).toString('utf8'), key)
  const merge = (there: Uint8Array | null): Uint8Array => {
    const place = `${storage.description}/${key}`
    const remote = there === null ? [] : [parseManifest(Buffer.from(there).toString('utf8'), place)]
    return encodeManifest(mergeManifests(own.version, [...remote, own], isPlanned))
  }
  const onUnguarded = () => {
    const message = `${storage.description} knows no conditional writes: shards that end at the same moment may undo each other's lines in ${MANIFEST_NAME}. Run one shard's command again after all have ended: it adds its own anew`
    emit({ type: 'warning', code: 'W_MANIFEST_UNGUARDED', message })
  }
  try {
    // Others write it too: no word of the ledger's about it holds.
    await ledger.doubtSent(storage.description, key.slice(0, -MANIFEST_NAME.length - 1), [MANIFEST_NAME])
    const object = { key, contentType: contentTypeOf(key), cacheControl: cacheControlOf(key) }
    const { settleMs } = options
    const { body, put } = await updateObject(storage, object, merge, { onUnguarded, signal, settleMs })
    if (put === null) return nothing
    emit({ type: 'object-uploaded', key, sizeBytes: body.byteLength, attempts: put.attempts })
    return { ...nothing, uploaded: 1, uploadedBytes: body.byteLength }
  } catch (error) {
    if (signal?.aborted) return { ...nothing, isStopped: true }
    if (!(error instanceof PregenError)) throw error
    const failure = failureOf(key, error)
    emit({ type: 'upload-failed', key, attempts: failure.attempts, message: error.message })
    return { ...nothing, failure }
  }
}
