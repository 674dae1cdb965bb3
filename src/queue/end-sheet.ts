/**
 * The end of a sheet, when every one of its jobs is over: the bucket is asked what stands in it, the manifest is written
 * under its condition, the callback is posted, and only then the sheet is `done`. A machine that dies at any moment of
 * this leaves it to another, which begins anew: every step gives the same again, and what was called is remembered.
 */
import pLimit from 'p-limit'
import { isVariantFileName, outputKindOfAsset } from '../artifacts/file-names.ts'
import { createLayout } from '../artifacts/layout.ts'
import { createManifest, encodeManifest, type ManifestAsset, parseManifest } from '../artifacts/manifest.ts'
import { readPage } from '../artifacts/page.ts'
import {
  parseRecord,
  pictureOf,
  RECORD_BYTES,
  recordId,
  sealOf,
  type UnitRecord,
} from '../artifacts/unit-record.ts'
import { readSheetText } from '../cue-sheet/read.ts'
import type { CueSheet } from '../cue-sheet/sheet.ts'
import { PregenError } from '../errors.ts'
import { unitName } from '../plan/unit.ts'
import { assetUrls } from '../run/asset.ts'
import { type BucketContents, readContents, type StoredRecord } from '../storage/bucket-contents.ts'
import { sendPage } from '../storage/send-page.ts'
import { sendSharedManifest } from '../storage/shared-manifest.ts'
import type { Storage } from '../storage/storage.ts'
import type { QueueClient } from './connect.ts'
import type { EndJob, WantedUnit } from './job.ts'
import { openSheetBucket, sheetNotifier, sheetSource } from './sheet-session.ts'
import { readSheetRecord, readStanding, readWanted, writeStanding } from './sheet-store.ts'
import type { Workplace } from './workplace.ts'

export interface SheetEnd {
  readonly version: string
  readonly whole: number
  /** Units that are wanted and not whole in the bucket. */
  readonly missing: readonly number[]
}

export interface EndOptions {
  readonly client: QueueClient
  readonly workplace: Workplace
  readonly job: EndJob
  /** Whether a callback that is not delivered is tried again another time. */
  readonly mayTryAgain: boolean
  readonly signal: AbortSignal
}

const AT_ONCE = 16

/** Reads what the bucket holds of the wanted units. */
export async function endSheet(options: EndOptions): Promise<SheetEnd> {
  const { client, workplace, job, signal } = options
  const { injection, emit, ledger, settings } = workplace
  const record = await readSheetRecord(client, job.sheet)
  const wanted = await readWanted(client, job.sheet)
  const { sheetPath, sheetBytes, rowFiles } = sheetSource(record, settings.sheetsFolder)
  // Models are not needed, and nothing that the sheet names is opened.
  const sheet = await readSheetText(sheetBytes, {
    ...{ file: sheetPath, rowFiles, versionId: record.version },
    ...{ env: settings.env, allowedVariables: settings.allowedVariables, onVariable: settings.onVariable },
    embeddedModels: settings.embeddedModels,
  })
  const layout = createLayout({ out: settings.outDir, root: sheet.root, version: sheet.version })
  const storage = await openSheetBucket(sheet, workplace)
  try {
    const places = placesOf(sheet)
    const lines = await wholeUnits({ sheet, layout, storage, signal }, places, wanted)
    const missing = [...wanted.keys()].filter((index) => !lines.has(index))
    const assets = [...lines].sort(([a], [b]) => a - b).map(([, line]) => line)
    injection.reach('before-manifest')
    if (assets.length > 0) {
      const names = new Set(places.map(unitName))
      const ours = encodeManifest(createManifest(sheet.version, assets))
      const shared = await sendSharedManifest({
        ...{ storage, ledger, key: layout.manifestKey, ours, emit, signal },
        isPlanned: (cue, variant) => names.has(unitName({ cue, variant })),
      })
      if (shared.failure) throw shared.failure.error
      signal.throwIfAborted()
      if (sheet.gallery && settings.pageFolder !== undefined) {
        const files = await readPage(settings.pageFolder)
        const sent = await sendPage({
          storage,
          ledger,
          emit,
          signal,
          prefix: layout.prefix,
          files,
          verifyRemote: true,
        })
        if (sent.failure) throw sent.failure.error
      }
    }
    injection.reach('after-manifest')
    await callOnce(options, sheet, assets, missing.length === 0)
    injection.reach('after-callback')
    const state = missing.length === 0 ? 'done' : 'partial'
    const ended = new Date().toISOString()
    await writeStanding(client, job.sheet, { state, ended, whole: lines.size, missing: missing.length })
    return { version: sheet.version, whole: lines.size, missing }
  } finally {
    await storage.close()
  }
}

/** The callback of this end. Its key lets a receiver tell a second one, of a machine that died as it was answered. */
async function callOnce(
  { client, workplace, job, signal, mayTryAgain }: EndOptions,
  sheet: CueSheet,
  assets: readonly ManifestAsset[],
  isWhole: boolean,
): Promise<void> {
  if (sheet.callback?.on !== 'run') return
  if ((await readStanding(client, job.sheet))?.called === job.round) return
  const notifier = sheetNotifier(sheet, workplace, signal)
  const status = isWhole ? 'completed' : assets.length > 0 ? 'partial' : 'failed'
  const isDelivered = await notifier.post(sheet.version, status, assets, `${job.sheet}-${job.round}`)
  signal.throwIfAborted()
  if (!isDelivered && mayTryAgain) {
    throw new PregenError('E_QUEUE_CALLBACK', 'The callback was not delivered; it is tried again.', {
      exitCode: 3,
    })
  }
  workplace.injection.reach('before-called')
  if (isDelivered) await writeStanding(client, job.sheet, { called: job.round })
}

interface Place {
  readonly cue: string
  readonly variant: string
}

/** Cue and variant by place in the sheet. */
function placesOf({ cues }: CueSheet): readonly Place[] {
  return cues.flatMap(({ id: cue, variants }) => variants.map(({ id: variant }) => ({ cue, variant })))
}

interface Bucket {
  readonly sheet: CueSheet
  readonly layout: ReturnType<typeof createLayout>
  readonly storage: Storage
  readonly signal: AbortSignal
}

/** The manifest's lines of the wanted units that stand whole in the bucket, by their places. */
async function wholeUnits(
  { sheet, layout, storage, signal }: Bucket,
  places: readonly Place[],
  wanted: ReadonlyMap<number, WantedUnit>,
): Promise<ReadonlyMap<number, ManifestAsset>> {
  const keyOf = ({ cue, variant }: Place) => layout.variantKey(cue, variant)
  const asked = [...wanted].flatMap(([index, { digest }]) => {
    const place = places[index]
    return place === undefined ? [] : [{ index, digest, place, key: keyOf(place) }]
  })
  const contents = await readContents(storage, {
    ...{ signal, prefix: layout.prefix },
    keys: asked.map(({ key }) => key),
    expectedObjects: places.length * OBJECTS_A_UNIT,
  })
  const manifest = await publishedLines(storage, layout.manifestKey, sheet.version, signal)
  const lines = new Map<number, ManifestAsset>()
  const limit = pLimit(AT_ONCE)
  const look = async ({ index, digest, place, key }: (typeof asked)[number]): Promise<void> => {
    const records = contents.records.get(recordId(key)) ?? []
    for (const stored of records.filter((one) => one.digest === digest)) {
      const line = manifest.get(unitName(place))
      const isOfThis = line !== undefined && pictureOf(line.metadata.sha256) === stored.picture
      const isSealed = sealOf(listed(contents, key)) === stored.seal
      const asset = isOfThis && isSealed ? line : await assetOf({ storage, contents, key, stored, signal })
      if (asset === null) continue
      lines.set(index, asPlaced(asset, { sheet, layout, place, index }))
      return
    }
  }
  await Promise.all(asked.map((one) => limit(look, one)))
  return lines
}

/** For the choice between one listing and many: step pictures of an everyday unit, and what goes with them. */
const OBJECTS_A_UNIT = 20

function listed({ listing }: BucketContents, key: string) {
  return [...(listing.get(key) ?? new Map<string, never>())].flatMap(([name, object]) =>
    isVariantFileName(name) && object.etag !== null
      ? [{ name, sizeBytes: object.sizeBytes, etag: object.etag }]
      : [],
  )
}

interface Recorded {
  readonly storage: Storage
  readonly contents: BucketContents
  /** The unit's. */
  readonly key: string
  readonly stored: StoredRecord
  readonly signal: AbortSignal
}

/** What a record says, where the bucket holds just what it speaks of. */
async function assetOf({ storage, contents, key, stored, signal }: Recorded): Promise<ManifestAsset | null> {
  const body = await storage.get(stored.key, { maxBytes: RECORD_BYTES, signal })
  const record: UnitRecord | null = body && parseRecord(body, key, stored)
  if (record === null) return null
  const there = new Map(listed(contents, key).map((file) => [file.name, file]))
  const isWhole = record.files.every(({ name, sizeBytes, etag }) => {
    const file = there.get(name)
    return file?.sizeBytes === sizeBytes && file.etag === etag
  })
  return isWhole ? record.asset : null
}

interface Placing {
  readonly sheet: CueSheet
  readonly layout: Bucket['layout']
  readonly place: Place
  readonly index: number
}

function asPlaced(asset: ManifestAsset, { sheet, layout, place, index }: Placing): ManifestAsset {
  const { cue, variant } = place
  const files = [asset.thumbnail_url, asset.timing_url].flatMap((url) =>
    url === null ? [] : [{ name: decodeURIComponent(url.slice(url.lastIndexOf('/') + 1)) }],
  )
  const kind = outputKindOfAsset(asset)
  return {
    ...asset,
    ...{ cue, variant },
    ...assetUrls({ layout, cue, variant, kind, files, publicUrl: sheet.storage?.publicUrl }),
    metadata: { ...asset.metadata, asset_index: index },
  }
}

/** The bucket's manifest by unit; what is none of ours is written anew. */
async function publishedLines(
  storage: Storage,
  key: string,
  version: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ManifestAsset>> {
  const body = await storage.get(key, { signal })
  if (body === null) return new Map()
  const manifest = parseManifest(Buffer.from(body).toString('utf8'), key)
  if (manifest.version !== version) return new Map()
  return new Map(manifest.assets.map((asset) => [unitName(asset), asset]))
}
