/** The page of a version on its way into the store: after the manifest, one file after the other, index.html last. */

import { cacheControlOf, contentTypeOf } from '../artifacts/file-names.ts'
import { hashBytes } from '../artifacts/file-state.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import type { PublishedPageFile } from '../artifacts/page.ts'
import type { Storage } from './storage.ts'
import { failureOf, type UploadFailure } from './upload-failure.ts'
import type { UploadEvent } from './upload-folder.ts'

export interface SendPageOptions {
  readonly storage: Storage
  readonly ledger: Ledger
  /** `foigoi/<version>` */
  readonly prefix: string
  /** As `readPage` gives them; none: there is nothing to send. */
  readonly files: readonly PublishedPageFile[]
  readonly emit: (event: UploadEvent | UploadsExpected) => void
  /** Asks the store what stands there, whatever the ledger remembers. */
  readonly verifyRemote?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

interface UploadsExpected {
  readonly type: 'uploads-expected'
  readonly objects: number
}

export interface SendPageResult {
  readonly uploaded: number
  readonly uploadedBytes: number
  /** Files that the store has already. */
  readonly skipped: number
  /** The first: what comes after it is not sent. */
  readonly failure: UploadFailure | null
  /** Ended by the signal. */
  readonly isStopped: boolean
}

/** Sends what the store lacks of a page. Never rejects for what a store answers. */
export async function sendPage(options: SendPageOptions): Promise<SendPageResult> {
  const { storage, ledger, prefix, files, emit, signal } = options
  const result = { uploaded: 0, uploadedBytes: 0, skipped: 0, failure: null, isStopped: false }
  let key: string = prefix
  try {
    const due: PublishedPageFile[] = []
    for (const file of files) if (!(await isThere(options, file))) due.push(file)
    result.skipped = files.length - due.length
    if (due.length > 0) emit({ type: 'uploads-expected', objects: due.length })
    for (const { name, bytes } of due) {
      key = `${prefix}/${name}`
      await ledger.doubtSent(storage.description, prefix, [name])
      const sha256 = hashBytes(bytes)
      const how = { contentType: contentTypeOf(key), cacheControl: cacheControlOf(key) }
      const { etag, attempts } = await storage.put({ key, body: bytes, sha256, ...how }, { signal })
      await ledger.recordSent(storage.description, prefix, {
        [name]: { sha256, sizeBytes: bytes.byteLength, etag },
      })
      emit({ type: 'object-uploaded', key, sizeBytes: bytes.byteLength, attempts })
      result.uploaded += 1
      result.uploadedBytes += bytes.byteLength
    }
    return result
  } catch (error) {
    if (signal?.aborted) return { ...result, isStopped: true }
    const failure = failureOf(key, error)
    emit({ type: 'upload-failed', key, attempts: failure.attempts, message: failure.error.message })
    return { ...result, failure }
  }
}

async function isThere(
  { storage, ledger, prefix, verifyRemote = false, signal }: SendPageOptions,
  { name, bytes }: PublishedPageFile,
): Promise<boolean> {
  const sent = ledger.sent.get(storage.description)?.get(prefix)?.get(name)
  const isKnown = sent?.sha256 === hashBytes(bytes)
  if (!verifyRemote) return isKnown
  const stored = await storage.head(`${prefix}/${name}`, { signal })
  if (stored === null || stored.sizeBytes !== bytes.byteLength) return false
  // A store that tells no MD5 is believed where the ledger has sent these bytes.
  return stored.md5 === null ? isKnown : stored.md5 === hashBytes(bytes, 'md5')
}
