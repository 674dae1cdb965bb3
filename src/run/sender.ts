/** A run's way to its bucket; without one (no `storage`, or `--dry-run`) a sender that sends nothing. */
import { RECORD_MEMO } from '../artifacts/file-names.ts'
import type { Ledger, LedgerFile } from '../artifacts/ledger.ts'
import type { ManifestAsset } from '../artifacts/manifest.ts'
import type { PublishedPageFile } from '../artifacts/page.ts'
import { unitName } from '../plan/unit.ts'
import type { Storage } from '../storage/storage.ts'
import type { UploadFile, UploadSummary } from '../storage/uploader.ts'
import type { UnitDecision } from './decide-units.ts'
import type { EmitRunEvent } from './events.ts'
import { proveBucket } from './open-bucket.ts'
import type { RunOptions } from './options.ts'
import type { PreparedRun } from './prepared.ts'
import type { BucketFindings } from './whole-in-bucket.ts'
import type { WrittenManifest } from './write-manifest.ts'

// CI systems grant seven seconds after a cancel; the rest of the way out needs some of them.
const CANCELLED_DRAIN_MS = 4000

export interface Sender {
  /** Queues a finished unit's files; resolves when all are confirmed (true) or not (false), and never rejects. */
  readonly send: (key: string, files: readonly LedgerFile[]) => Promise<boolean>
  /**
   * Queues what earlier runs made; what the bucket has already costs nothing.
   * @param onSend called with what `send` gives for each unit that the ledger does not know to be there, or that owes a call
   */
  readonly sendKept: (
    kept: readonly UnitDecision[],
    onSend: (key: string, sent: Promise<boolean>, asset: ManifestAsset) => void,
  ) => void
  /**
   * Waits for the uploads, then sends the manifest, and the page last of all. After an abort, then or later, only what is
   * on its way.
   */
  readonly finish: (
    manifest: WrittenManifest,
    page: readonly PublishedPageFile[],
    signal: AbortSignal,
  ) => Promise<{ readonly uploaded: number; readonly failed: number }>
  /** Gives up what is still on its way and closes the bucket. */
  readonly close: () => Promise<void>
}

function withoutBucket(ledger: Ledger): Sender {
  return {
    send: () => Promise.resolve(true),
    sendKept(kept, onSend) {
      for (const { entry } of kept) {
        const { asset, callbackOwed } = ledger.units.get(entry.key) ?? {}
        if (asset && callbackOwed) onSend(entry.key, Promise.resolve(true), asset)
      }
    },
    finish: () => Promise.resolve({ uploaded: 0, failed: 0 }),
    close: () => Promise.resolve(),
  }
}

export interface SenderOptions {
  readonly prepared: PreparedRun
  readonly options: RunOptions
  readonly ledger: Ledger
  /** What is to be done, and what the bucket turned out to have. */
  readonly findings: BucketFindings
  /** null: without a bucket. */
  readonly storage: Storage | null
  readonly emit: EmitRunEvent
}

/**
 * Opens the bucket and proves that it can be written, before any model loads.
 * @throws PregenError `E_NO_BUCKET`, `E_ACCESS_DENIED` and their kin
 */
export async function createSender(given: SenderOptions): Promise<Sender> {
  const { prepared, options, ledger, findings, storage, emit } = given
  const { layout, sheet } = prepared
  if (sheet.storage === null || storage === null) return withoutBucket(ledger)
  const { decisions, published } = findings
  const [
    { createUploader },
    { sendSharedManifest },
    { sendPage },
    { recordOfUnit, contentAlone: unvouched },
  ] = await Promise.all([
    import('../storage/uploader.ts'),
    import('../storage/shared-manifest.ts'),
    import('../storage/send-page.ts'),
    import('../storage/upload-folder.ts'),
  ])
  const concurrency = options.concurrency ?? sheet.storage.concurrency
  const isThere = (decision: UnitDecision) =>
    published.has(decision.entry.key) || isSent(decision, ledger, storage.description)
  // A bucket that has everything is not written to, not even for a probe.
  if (options.verifyRemote || !decisions.every(isThere)) await proveBucket(storage, emit, sheet)

  const giveUp = new AbortController()
  const uploader = createUploader({
    storage,
    ledger,
    emit,
    concurrency,
    verifyRemote: options.verifyRemote,
    prefix: layout.prefix,
    contents: findings.contents,
    hasRecords: true,
    signal: giveUp.signal,
  })
  const folderOf = new Map(
    prepared.units.map(({ key, unit }) => [key, layout.variantFolder(unit.cue, unit.variant)]),
  )
  const planned = new Set([...prepared.sheetUnits.values()].map(unitName))
  const isPlanned = (cue: string, variant: string) => planned.has(unitName({ cue, variant }))
  const add = (key: string, files: readonly UploadFile[]) => {
    const folder = folderOf.get(key)
    if (folder === undefined) throw new Error(`${key} was sent but never planned`)
    return uploader.add({ key, folder, files, record: recordOfUnit(ledger, { key, files }) })
  }
  const expect = (objects: number) => {
    if (objects > 0) emit({ type: 'uploads-expected', objects })
  }

  let isDrained = false

  return {
    send(key, files) {
      expect(files.length)
      return add(key, files)
    },
    sendKept(kept, onSend) {
      let expected = 0
      for (const decision of kept) {
        const { key } = decision.entry
        const recorded = ledger.units.get(key)
        if (!recorded) continue
        const wasSent = isSent(decision, ledger, storage.description)
        if (!wasSent) expected += recorded.files.length
        // What another's ledger says of a file is not believed before it goes out.
        const files = wasSent || ledger.isOwn(key) ? recorded.files : recorded.files.map(unvouched)
        // Failures are counted and told by the uploader itself.
        const sent = add(key, files)
        if (recorded.asset && (!wasSent || recorded.callbackOwed)) onSend(key, sent, recorded.asset)
      }
      expect(expected)
    },
    async finish({ bytes, assets }, page, signal) {
      const key = layout.manifestKey
      const giveUpSoon = () => setTimeout(() => giveUp.abort(), CANCELLED_DRAIN_MS).unref()
      if (signal.aborted) giveUpSoon()
      else signal.addEventListener('abort', giveUpSoon, { once: true })
      // What a run does not know of its sheet, others may have made.
      const isPart = published.size > 0 || prepared.units.length < prepared.sheetUnits.size
      const isSharded = prepared.shard !== null || isPart
      const isWanted = () => assets.length > 0 && !signal.aborted
      try {
        if (!isSharded && isWanted()) uploader.setManifest(key, bytes)
        const own = await uploader.drain()
        const isWhole = own.failures.length === 0 && own.pending === 0
        if (!isWhole || !isWanted()) return countsOf(own)
        const how = { storage, ledger, emit, signal: giveUp.signal }
        const shared = isSharded ? await sendSharedManifest({ ...how, key, ours: bytes, isPlanned }) : NOTHING
        const sent = shared.failure
          ? NOTHING
          : await sendPage({ ...how, prefix: layout.prefix, files: page, verifyRemote: options.verifyRemote })
        return {
          uploaded: own.uploaded + shared.uploaded + sent.uploaded,
          failed: (shared.failure ?? sent.failure) ? 1 : 0,
        }
      } finally {
        isDrained = true
        signal.removeEventListener('abort', giveUpSoon)
      }
    },
    async close() {
      if (!isDrained) {
        giveUp.abort()
        // The ledger closes next: what the bucket has confirmed is written into it first.
        await uploader.drain()
      }
      await storage.close()
    },
  }
}

/** Where there is nothing to send. */
const NOTHING = { uploaded: 0, failure: null }

function countsOf({ uploaded, failures }: UploadSummary): { uploaded: number; failed: number } {
  return { uploaded, failed: failures.length }
}

/** Whether a unit stays as it is and the ledger knows all of it to be in the bucket, its record too. */
function isSent({ action, entry }: UnitDecision, ledger: Ledger, target: string): boolean {
  const recorded = ledger.units.get(entry.key)
  if (action !== 'skip' || recorded === undefined) return false
  const sent = ledger.sent.get(target)?.get(entry.key)
  const owesRecord = recorded.asset !== undefined && recorded.complete !== false && ledger.isOwn(entry.key)
  return (
    (!owesRecord || sent?.get(RECORD_MEMO)?.sha256 === recorded.digest) &&
    recorded.files.every(({ name, sha256 }) => sent?.get(name)?.sha256 === sha256)
  )
}
