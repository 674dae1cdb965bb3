/** One folder on its way into the store: what is missing there goes, in an order that keeps the marker true. */
import { join } from 'node:path'
import type { LimitFunction } from 'p-limit'
import { kindFault } from '../artifacts/file-kind.ts'
import {
  cacheControlOf,
  contentTypeOf,
  MANIFEST_NAME,
  RECORD_MEMO,
  TIMING_NAME,
} from '../artifacts/file-names.ts'
import { hashBytes } from '../artifacts/file-state.ts'
import { parseVariantKey } from '../artifacts/layout.ts'
import type { Ledger, SentObject } from '../artifacts/ledger.ts'
import { encodeRecord, RECORD_BYTES, recordKey } from '../artifacts/unit-record.ts'
import { PregenError } from '../errors.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { FileBody, ReadBody } from './read-body.ts'
import type { RemoteState } from './remote-state.ts'
import type { Storage } from './storage.ts'
import { failureOf, type UploadFailure } from './upload-failure.ts'
import {
  outputFolderOf,
  type UploadEvent,
  type UploadFile,
  type UploadFolder,
  type UploadRecord,
} from './upload-folder.ts'

export interface SendOptions {
  readonly storage: Storage
  /** Remembers what was sent; without one everything is sent. */
  readonly ledger?: Ledger | undefined
  readonly emit: (event: UploadEvent) => void
  /** Told how many objects of a folder the store has already. */
  readonly onSkipped?: ((objects: number) => void) | undefined
}

/** What the folders of one uploader share. */
export interface Work {
  readonly options: SendOptions
  readonly budget: ByteBudget
  readonly remote: RemoteState
  readonly limit: LimitFunction
  readonly readBody: ReadBody
  readonly abort: AbortController
  uploaded: number
  uploadedBytes: number
  skipped: number
  lastConfirmedAt: number
}

/** A folder on its way. */
export interface Job {
  readonly folder: UploadFolder
  /** What the store lacks: all until it is known better, then less with each confirmed object. */
  readonly left: Map<string, UploadFile>
  isChecked: boolean
}

/** Sends what the store lacks of a folder: an earlier set's marker goes first, this one's comes last. */
export async function sendFolder(work: Work, job: Job): Promise<readonly UploadFailure[]> {
  const { remote, options } = work
  const { folder, left } = job
  const confirmed: Record<string, SentObject> = {}
  const failures: UploadFailure[] = []
  try {
    work.abort.signal.throwIfAborted()
    if (!job.isChecked) await checkFolder(work, job)
    const sendOne = async (file: UploadFile) => {
      try {
        confirmed[file.name] = await work.limit(() => sendFile(work, folder, file))
        left.delete(file.name)
      } catch (error) {
        failures.push(failureOf(`${folder.key}/${file.name}`, error))
      }
    }
    const marker = left.get(TIMING_NAME)
    await Promise.all([...left.values()].filter((file) => file !== marker).map(sendOne))
    if (failures.length === 0) await remote.removeOrphans(folder.key, folder.files)
    if (failures.length === 0 && marker) await sendOne(marker)
  } catch (error) {
    failures.push(failureOf(folder.key, error))
  }
  if (options.ledger && Object.keys(confirmed).length > 0) {
    try {
      await options.ledger.recordSent(options.storage.description, folder.key, confirmed)
    } catch (error) {
      failures.push(failureOf(folder.key, error))
    }
  }
  if (failures.length === 0 && left.size === 0 && folder.record) {
    try {
      await recordFolder(work, folder, folder.record)
    } catch (error) {
      failures.push(failureOf(folder.key, error))
    }
  }
  return failures
}

/** Says in the store that a unit is whole there, last of all; no more is needed by a machine that has nothing else. */
async function recordFolder(
  work: Work,
  folder: UploadFolder,
  { digest, asset }: UploadRecord,
): Promise<void> {
  const { options, remote } = work
  const { ledger, storage } = options
  const { key } = folder
  if (ledger?.sent.get(storage.description)?.get(key)?.get(RECORD_MEMO)?.sha256 === digest) return
  const files = await remote.sealed(key, folder.files)
  const version = parseVariantKey(key)
  if (files === null || version === null) return
  const record = { key, digest, files, asset }
  const body = encodeRecord(record)
  // What would not be believed is not said: the unit is drawn once more by whoever has nothing.
  if (body.byteLength > RECORD_BYTES) return
  const object = recordKey(version.prefix, record)
  const how = { contentType: contentTypeOf(object), cacheControl: cacheControlOf(object) }
  const { signal } = work.abort
  const put = () =>
    storage.put({ key: object, body, ...how }, { signal, onProgress: () => noteProgress(work) })
  const { etag } = await work.limit(put)
  noteProgress(work)
  await ledger?.recordSent(storage.description, key, {
    [RECORD_MEMO]: { sha256: digest, sizeBytes: body.byteLength, etag },
  })
}

/** Finds what the store lacks, and makes the store ready for it. */
async function checkFolder(work: Work, job: Job): Promise<void> {
  const { folder, left } = job
  const md5Of = async (file: UploadFile) =>
    file.md5 ?? hashBytes((await readIn(work, folder, file)).bytes, 'md5')
  for (const file of folder.files) {
    if (await work.remote.has(folder.key, file, () => md5Of(file))) left.delete(file.name)
  }
  const marker = folder.files.find((file) => file.name === TIMING_NAME)
  if (left.size > 0) {
    const taken = await work.remote.retract(folder.key, [...left.values()])
    if (taken && marker) left.set(marker.name, marker)
  }
  skip(work, folder.files.length - left.size)
  job.isChecked = true
}

function skip(work: Work, objects: number): void {
  work.skipped += objects
  if (objects > 0) work.options.onSkipped?.(objects)
}

/** A file of the folder, from its own place; of one that grew, enough to show that. */
function readIn(work: Work, folder: UploadFolder, { name, sizeBytes }: UploadFile): Promise<FileBody> {
  return work.readBody(join(folder.folder, name), { out: outputFolderOf(folder), maxBytes: sizeBytes + 1 })
}

async function sendFile(work: Work, folder: UploadFolder, file: UploadFile): Promise<SentObject> {
  const release = await work.budget.take(file.sizeBytes)
  try {
    work.abort.signal.throwIfAborted()
    const path = join(folder.folder, file.name)
    const body = await readIn(work, folder, file)
    if (!isAsMade(body, file)) {
      throw new PregenError('E_FILE_CHANGED', `${path} is no longer what was written`, {
        help: 'Run the sheet again: the variant is made anew.',
        exitCode: 3,
      })
    }
    const fault = file.mtimeMs === undefined ? foreignFault(body, file) : null
    if (fault) throw foreignFile(path, fault)
    return await putObject(work, `${folder.key}/${file.name}`, body.bytes, file)
  } finally {
    release()
  }
}

/**
 * What goes out must be what was made: a file that changed since is not passed off as it. One that was not touched is
 * held to the recorded MD5 by the store itself.
 */
function isAsMade({ bytes, mtimeMs }: FileBody, file: UploadFile): boolean {
  if (bytes.byteLength !== file.sizeBytes) return false
  const isTouched = file.md5 === undefined || mtimeMs !== file.mtimeMs
  return !isTouched || hashBytes(bytes) === file.sha256
}

/** What nobody vouches for must be a picture by itself, and lie nowhere else. */
function foreignFault({ bytes, names = 1 }: FileBody, { name }: UploadFile): string | null {
  return names > 1 ? 'has a second name outside' : kindFault(name, bytes)
}

function foreignFile(path: string, why: string): PregenError {
  return new PregenError('E_FILE_KIND', `${path} ${why}`, {
    help: 'It came with the folder from elsewhere: look at it, and remove it or run the sheet again.',
    exitCode: 3,
  })
}

async function putObject(
  work: Work,
  key: string,
  body: Uint8Array,
  { sha256, md5 }: Pick<UploadFile, 'sha256' | 'md5'>,
): Promise<SentObject> {
  const { storage, emit } = work.options
  const { etag, attempts } = await storage.put(
    { key, body, sha256, md5, contentType: contentTypeOf(key), cacheControl: cacheControlOf(key) },
    { signal: work.abort.signal, onProgress: () => noteProgress(work) },
  )
  work.uploaded += 1
  work.uploadedBytes += body.byteLength
  work.lastConfirmedAt = performance.now()
  emit({ type: 'object-uploaded', key, sizeBytes: body.byteLength, attempts })
  return { sha256, sizeBytes: body.byteLength, etag }
}

/** A store that takes bytes has not stalled, however long an object takes. */
function noteProgress(work: Work): void {
  work.lastConfirmedAt = performance.now()
}

/** The manifest, unless these very bytes stand in the store. */
export async function sendManifest(
  work: Work,
  key: string,
  bytes: Uint8Array,
): Promise<UploadFailure | null> {
  const { ledger, storage } = work.options
  const folder = key.slice(0, -MANIFEST_NAME.length - 1)
  const file = { name: MANIFEST_NAME, sha256: hashBytes(bytes), sizeBytes: bytes.byteLength }
  try {
    const md5 = async () => hashBytes(bytes, 'md5')
    if (await work.remote.has(folder, file, md5)) {
      skip(work, 1)
      return null
    }
    const sent = await putObject(work, key, bytes, file)
    await ledger?.recordSent(storage.description, folder, { [MANIFEST_NAME]: sent })
    return null
  } catch (error) {
    return failureOf(key, error)
  }
}
