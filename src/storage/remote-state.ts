/** What stands in the store already: by the ledger's word, or by the store's own listing. */
import { compareVariantFiles, isVariantFileName, RECORD_MEMO, TIMING_NAME } from '../artifacts/file-names.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import { type RecordFile, recordId } from '../artifacts/unit-record.ts'
import { PregenError } from '../errors.ts'
import { printable } from '../printable.ts'
import {
  addToListing,
  type BucketContents,
  type Listing,
  readRecords,
  type StoredRecord,
} from './bucket-contents.ts'
import type { ListOptions, Storage } from './storage.ts'
import type { UploadEvent, UploadFile } from './upload-folder.ts'

export interface RemoteStateOptions {
  readonly storage: Storage
  readonly ledger?: Ledger | undefined
  /** Believe the listing only. */
  readonly verifyRemote?: boolean | undefined
  /** What was listed already. */
  readonly contents?: BucketContents | undefined
  readonly prefix: string
  /** Whether units have records there, which are taken back before a unit is replaced. */
  readonly hasRecords?: boolean | undefined
  readonly emit: (event: UploadEvent) => void
  readonly signal: AbortSignal
}

export interface RemoteState {
  /**
   * Whether these very bytes stand in the store.
   * @param readMd5 called only where the listing must be compared with a file that the ledger knows no ETag of
   */
  has(key: string, file: UploadFile, readMd5: () => Promise<string>): Promise<boolean>
  /**
   * Makes ready for objects of a folder to be replaced: takes back the marker of the earlier set, and puts
   * in doubt what is about to be overwritten.
   * @returns whether a marker was taken back, which then must be sent anew
   */
  retract(key: string, due: readonly UploadFile[]): Promise<boolean>
  /** The files with the ETags of what the store holds of them; null where it is not known to hold just these. */
  sealed(key: string, files: readonly UploadFile[]): Promise<readonly RecordFile[] | null>
  /** Deletes step pictures and others of an earlier set that the new one has not. */
  removeOrphans(key: string, files: readonly UploadFile[]): Promise<void>
}

export function createRemoteState(options: RemoteStateOptions): RemoteState {
  const { storage, ledger, verifyRemote = false, prefix, emit, signal } = options
  const target = storage.description
  const sentOf = (key: string) => ledger?.sent.get(target)?.get(key)
  const { contents } = options
  let listing = contents?.isWhole === true ? Promise.resolve(contents.listing) : undefined
  let records = contents && Promise.resolve(contents.records)
  const warned = new Set<string>()
  const warn = (code: string, message: string) => {
    if (!warned.has(code)) emit({ type: 'warning', code, message })
    warned.add(code)
  }

  const onIgnored = (key: string) =>
    warn(
      'W_LIST_IGNORED',
      `${target} lists keys that are none of pregen's, such as ${printable(key.slice(0, 200))}: they are passed over`,
    )

  /** One listing for the whole version: a thousand objects a request. */
  const list = (): Promise<Listing> => {
    listing ??= readListing(storage, prefix, { signal, onIgnored }).catch((error: unknown) => {
      if (verifyRemote || !isDenied(error)) {
        // The next folder asks again.
        listing = undefined
        throw error
      }
      warn('W_LIST_DENIED', `${target} may not be listed: markers of an earlier run there are not taken back`)
      return new Map()
    })
    return listing
  }
  /** Keys of what the store says of a unit; one listing for all units. */
  const recordsOf = async (key: string): Promise<readonly string[]> => {
    const id = recordId(key)
    // A store that may not be listed is warned of where its markers are looked for.
    records ??= readRecords(storage, prefix, { signal, onIgnored }).catch((error: unknown) => {
      if (isDenied(error)) return new Map<string, StoredRecord[]>()
      records = undefined
      throw error
    })
    return ((await records).get(id) ?? []).map((record) => record.key)
  }
  /** What is about to be replaced is said to be whole no more. */
  const removeRecords = async (key: string): Promise<void> => {
    for (const record of await recordsOf(key)) await deleteObject(record, 'records of earlier pictures stay')
    await (await records)?.delete(recordId(key))
  }
  const deleteObject = async (object: string, consequence: string): Promise<boolean> => {
    try {
      await storage.delete(object, { signal })
      return true
    } catch (error) {
      if (!isDenied(error)) throw error
      warn('W_DELETE_DENIED', `${target} lets nothing be deleted: ${consequence}`)
      return false
    }
  }
  /** Names in the store, as well as they are known; a store that the ledger knows nothing of is listed. */
  const namesOf = async (key: string): Promise<ReadonlySet<string>> => {
    const sent = sentOf(key)
    if (sent && !verifyRemote) return new Set(sent.keys())
    return new Set((await list()).get(key)?.keys() ?? [])
  }
  const remove = async (key: string, names: readonly string[], consequence: string): Promise<void> => {
    await ledger?.doubtSent(target, key, names)
    for (const name of names) {
      if (!(await deleteObject(`${key}/${name}`, consequence))) continue
      await ledger?.forgetSent(target, key, [name])
      if (listing) (await listing).get(key)?.delete(name)
    }
  }

  return {
    async has(key, file, readMd5) {
      const sent = sentOf(key)?.get(file.name)
      if (!verifyRemote) return sent?.sha256 === file.sha256
      const stored = (await list()).get(key)?.get(file.name)
      if (!stored || stored.sizeBytes !== file.sizeBytes) return false
      // A store that tells no MD5 (SSE-KMS) is believed where the ledger has sent these bytes.
      if (stored.md5 === null) return sent?.sha256 === file.sha256
      return stored.md5 === (await readMd5())
    },
    async retract(key, due) {
      const isMarkerOnly = due.every((file) => file.name === TIMING_NAME)
      const hasMarker = (await namesOf(key)).has(TIMING_NAME)
      const taken = hasMarker && !isMarkerOnly
      if (taken) await remove(key, [TIMING_NAME], 'while pictures are replaced, their timing.json stays')
      await ledger?.doubtSent(target, key, [...due.map((file) => file.name), RECORD_MEMO])
      if (options.hasRecords === true && due.length > 0) await removeRecords(key)
      return taken
    },
    async sealed(key, files) {
      const sent = sentOf(key)
      const stored = verifyRemote || !sent ? (await list()).get(key) : undefined
      const sealed: RecordFile[] = []
      for (const { name, sha256, sizeBytes } of files) {
        const known = sent?.get(name)
        const etag = (known?.sha256 === sha256 ? known.etag : undefined) ?? stored?.get(name)?.etag ?? null
        if (etag === null) return null
        sealed.push({ name, sizeBytes, etag: etag.replaceAll('"', ''), sha256 })
      }
      return sealed
    },
    async removeOrphans(key, files) {
      const wanted = new Set(files.map((file) => file.name))
      const orphans = [...(await namesOf(key))]
        .filter((name) => isVariantFileName(name) && !wanted.has(name))
        // The marker, which sorts last, goes first.
        .sort((a, b) => compareVariantFiles(b, a))
      if (orphans.length > 0) await remove(key, orphans, 'pictures of earlier runs stay')
    },
  }
}

async function readListing(storage: Storage, prefix: string, options: ListOptions): Promise<Listing> {
  const listing: Listing = new Map()
  for await (const object of storage.list(`${prefix}/`, options)) addToListing(listing, object)
  return listing
}

function isDenied(error: unknown): boolean {
  return error instanceof PregenError && error.code === 'E_ACCESS_DENIED'
}
