/**
 * Units that a run need not draw, because its bucket holds them whole: the digest of each stands in its record there,
 * which is believed where every expected file is listed with the size and ETag that the record is sealed with.
 */
import pLimit from 'p-limit'
import { MANIFEST_NAME, outputKindOfAsset } from '../artifacts/file-names.ts'
import type { ManifestAsset } from '../artifacts/manifest.ts'
import { parseManifest } from '../artifacts/manifest.ts'
import {
  parseRecord,
  pictureOf,
  RECORD_BYTES,
  recordId,
  sealOf,
  type UnitRecord,
} from '../artifacts/unit-record.ts'
import { messageOf, PregenError } from '../errors.ts'
import { unitName } from '../plan/unit.ts'
import { unitFiles } from '../plan/unit-files.ts'
import { type BucketContents, readContents, type StoredRecord } from '../storage/bucket-contents.ts'
import type { Storage } from '../storage/storage.ts'
import { assetUrls } from './asset.ts'
import type { UnitDecision } from './decide-units.ts'
import { atSetting } from './open-bucket.ts'
import type { PreparedRun, PreparedUnit, PrepareWarning } from './prepared.ts'

const WHOLE_IN_BUCKET = 'whole in the bucket'

export interface BucketFindings {
  /** The decisions, with those of units that are whole in the bucket turned into skips. */
  readonly decisions: readonly UnitDecision[]
  /** The lines of these units in manifest.json, by key. */
  readonly published: ReadonlyMap<string, ManifestAsset>
  /** What they are made of, where it was asked for, by key. */
  readonly records: ReadonlyMap<string, UnitRecord>
  readonly contents: BucketContents | undefined
  readonly warnings: readonly PrepareWarning[]
}

export interface FindOptions {
  readonly signal?: AbortSignal | undefined
  /** Files are wanted too: then damaged units are looked for as well, and every record is read. */
  readonly pull?: boolean | undefined
  /** Whether a send is to come, which a lack of credentials or region ends anyway: it is told at once, and once. */
  readonly isToSend?: boolean | undefined
}

const NOT_SET_UP: ReadonlySet<string> = new Set([
  'E_NO_CREDENTIALS',
  'E_CREDENTIALS_MALFORMED',
  'E_NO_REGION',
  'E_EXPIRED_KEY',
])

const AT_ONCE = 16
/** A person waits for this; what is found out of reach is told by the preflight, which knows why. */
const PAGE_MS = 20_000

/** Nothing was asked. */
export function findNothing(decisions: readonly UnitDecision[]): BucketFindings {
  return { decisions, published: new Map(), records: new Map(), contents: undefined, warnings: [] }
}

/**
 * Asks a bucket about the units that are not whole here. Never throws for what a bucket answers.
 * @throws PregenError `E_NO_CREDENTIALS`, `E_CREDENTIALS_MALFORMED`, `E_NO_REGION`, `E_EXPIRED_KEY` where something is to be sent
 */
export async function findInBucket(
  prepared: PreparedRun,
  decisions: readonly UnitDecision[],
  storage: Storage,
  { signal, pull = false, isToSend = false }: FindOptions,
): Promise<BucketFindings> {
  const nothing = findNothing(decisions)
  // A unit that stands here and is altered is mended here.
  const asked = decisions.filter(({ action, reason }) => action === 'run' && (pull || reason === 'new'))
  if (asked.length === 0) return nothing
  try {
    const contents = await readContents(storage, {
      ...{ signal, deadlineMs: PAGE_MS, prefix: prepared.layout.prefix },
      keys: asked.map(({ entry }) => entry.key),
      expectedObjects: expectedObjects(prepared),
    })
    const found = new Map<PreparedUnit, StoredRecord>()
    for (const { entry } of asked) {
      const record = fittingRecord(contents, entry)
      if (record) found.set(entry, record)
    }
    const lines = found.size > 0 ? await publishedLines(storage, prepared) : new Map<string, ManifestAsset>()
    const published = new Map<string, ManifestAsset>()
    const records = new Map<string, UnitRecord>()
    const limit = pLimit(AT_ONCE)
    const take = async ([entry, stored]: [PreparedUnit, StoredRecord]) => {
      const line = lines.get(unitName(entry.unit))
      const isOfThis = line !== undefined && pictureOf(line.metadata.sha256) === stored.picture
      if (isOfThis && !pull) {
        published.set(entry.key, asPlanned(prepared, entry, line))
        return
      }
      const body = await storage.get(stored.key, { maxBytes: RECORD_BYTES, signal })
      const record = body && parseRecord(body, entry.key, stored)
      if (!record) return
      records.set(entry.key, record)
      published.set(entry.key, asPlanned(prepared, entry, record.asset))
    }
    await Promise.all([...found].map((one) => limit(take, one)))
    const turned = decisions.map(
      (decision): UnitDecision =>
        published.has(decision.entry.key)
          ? { ...decision, action: 'skip', reason: WHOLE_IN_BUCKET, refreshed: [] }
          : decision,
    )
    return { decisions: turned, published, records, contents, warnings: [] }
  } catch (error) {
    if (signal?.aborted || !(error instanceof PregenError)) throw error
    if (isToSend && NOT_SET_UP.has(error.code)) throw atSetting(error, prepared.sheet)
    const message = `${storage.description} could not be read, so what is missing here is drawn: ${messageOf(error)}`
    return { ...nothing, warnings: [{ code: 'W_BUCKET_NOT_READ', message }] }
  }
}

/** Pictures, records and the manifest, as the sheet plans them; a run of few units is of a sheet of many. */
function expectedObjects({ units, sheetUnits }: PreparedRun): number {
  const files = units.reduce((sum, { unit }) => sum + unitFiles(unit).length + 1, 0)
  return Math.ceil((files / Math.max(1, units.length)) * sheetUnits.size)
}

/** The record that fits the plan and the listing, or undefined. */
function fittingRecord(
  { listing, records }: BucketContents,
  { unit, key, digest }: PreparedUnit,
): StoredRecord | undefined {
  const candidates = records.get(recordId(key))?.filter((record) => record.digest === digest)
  if (!candidates || candidates.length === 0) return undefined
  const objects = listing.get(key)
  const files = unitFiles(unit).flatMap((name) => {
    const object = objects?.get(name)
    const etag = object?.etag ?? null
    return object && etag !== null ? [{ name, sizeBytes: object.sizeBytes, etag }] : []
  })
  if (files.length < unitFiles(unit).length) return undefined
  const seal = sealOf(files)
  return candidates.find((record) => record.seal === seal)
}

/** The bucket's manifest by unit; without one, or where it is none of ours, the records are asked. */
async function publishedLines(
  storage: Storage,
  { layout, version }: PreparedRun,
): Promise<Map<string, ManifestAsset>> {
  const body = await storage.get(layout.manifestKey)
  if (body === null) return new Map()
  try {
    const manifest = parseManifest(Buffer.from(body).toString('utf8'), MANIFEST_NAME)
    if (manifest.version !== version) return new Map()
    return new Map(manifest.assets.map((asset) => [unitName(asset), asset]))
  } catch (error) {
    if (error instanceof PregenError && error.code === 'E_MANIFEST_INVALID') return new Map()
    throw error
  }
}

/** Place and address follow today's sheet, as for units that lie here. */
function asPlanned(
  { layout, sheet }: PreparedRun,
  { unit, index }: PreparedUnit,
  asset: ManifestAsset,
): ManifestAsset {
  const { cue, variant } = unit
  const files = unitFiles(unit).map((name) => ({ name }))
  return {
    ...asset,
    ...{ cue, variant },
    ...assetUrls({
      layout,
      cue,
      variant,
      kind: outputKindOfAsset(asset),
      files,
      publicUrl: sheet.storage?.publicUrl,
    }),
    metadata: { ...asset.metadata, asset_index: index },
  }
}
