/** What stands in a bucket below one version, read at plan time: the objects of its units, and the records of whole ones. */
import { splitKey } from '../artifacts/layout.ts'
import { parseRecordKey, type RecordName, recordId, recordPrefix } from '../artifacts/unit-record.ts'
import { compareKeys } from './memory.ts'
import type { ListOptions, Storage, StoredObject } from './storage.ts'

/** Folder key → name → object. */
export type Listing = Map<string, Map<string, StoredObject>>

export interface StoredRecord extends RecordName {
  readonly key: string
}

export interface BucketContents {
  readonly listing: Listing
  /** By the unit's id. */
  readonly records: Map<string, StoredRecord[]>
  /** Whether everything below the version was listed, or some units alone. */
  readonly isWhole: boolean
}

export interface ReadContentsOptions extends ListOptions {
  readonly prefix: string
  /** Keys of the units that are asked about. */
  readonly keys: readonly string[]
  /** Objects that the version may hold, as far as the sheet tells. */
  readonly expectedObjects: number
}

/** Objects a page of a listing. */
const PAGE = 800
const RANGES = 8
/** Below so many pages one listing after the other is as quick. */
const PAGES_A_RANGE = 2

/** One listing, in ranges beside each other where it is long; units alone, where they are few among many. */
export async function readContents(storage: Storage, options: ReadContentsOptions): Promise<BucketContents> {
  const { prefix, keys, expectedObjects, ...how } = options
  const pages = Math.ceil(expectedObjects / PAGE)
  const isWhole = keys.length * 2 >= pages
  const listing: Listing = new Map()
  const records = new Map<string, StoredRecord[]>()
  const take = async (under: string, limits: ListOptions) => {
    for await (const object of storage.list(under, { ...how, ...limits })) {
      const record = parseRecordKey(prefix, object.key)
      if (record) takeRecord(records, { ...record, key: object.key })
      else addToListing(listing, object)
    }
  }
  if (isWhole) {
    const ends = Math.min(RANGES, Math.floor(pages / PAGES_A_RANGE))
    await Promise.all(rangesOf(prefix, keys, ends).map((range) => take(`${prefix}/`, range)))
  } else {
    const folders = keys.flatMap((key) => [`${key}/`, recordPrefix(prefix, recordId(key))])
    await Promise.all(folders.map((folder) => take(folder, {})))
  }
  return { listing, records, isWhole }
}

/** All records of a version. */
export async function readRecords(
  storage: Storage,
  prefix: string,
  options: ListOptions,
): Promise<Map<string, StoredRecord[]>> {
  const records = new Map<string, StoredRecord[]>()
  for await (const { key } of storage.list(recordPrefix(prefix), options)) {
    const record = parseRecordKey(prefix, key)
    if (record) takeRecord(records, { ...record, key })
  }
  return records
}

function takeRecord(records: Map<string, StoredRecord[]>, record: StoredRecord): void {
  const own = records.get(record.id) ?? []
  own.push(record)
  records.set(record.id, own)
}

export function addToListing(listing: Listing, object: StoredObject): void {
  const { folder, name } = splitKey(object.key)
  const names = listing.get(folder) ?? new Map<string, StoredObject>()
  names.set(name, object)
  listing.set(folder, names)
}

/** Ranges that meet: a quarter of them for the records, whose names are spread evenly, the others for units. */
function rangesOf(prefix: string, keys: readonly string[], count: number): ListOptions[] {
  if (count < 2) return [{}]
  const ofRecords = Math.max(1, Math.round(count / 4))
  const ofUnits = count - ofRecords
  const sorted = [...keys].sort(compareKeys)
  const cuts = [
    ...Array.from({ length: ofRecords - 1 }, (_, i) => {
      const first = Math.floor(((i + 1) * 256) / ofRecords)
      return `${recordPrefix(prefix)}${first.toString(16).padStart(2, '0')}`
    }),
    // All records sort before this, and all units after it.
    `${prefix}/.v`,
    ...Array.from(
      { length: ofUnits - 1 },
      (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / ofUnits)] ?? '',
    ),
  ].filter((cut) => cut !== '')
  return [undefined, ...cuts].map((startAfter, i) => ({ startAfter, upTo: cuts[i] }))
}
