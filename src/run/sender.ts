/** A run's way to its bucket; without one (no `storage`, or `--dry-run`) a sender that sends nothing. */
import type { Ledger, LedgerFile } from '../artifacts/ledger.ts'
import type { SheetStorage } from '../cue-sheet/sheet.ts'
import type { Storage } from '../storage/storage.ts'
import type { Decision } from './decide.ts'
import type { EmitRunEvent } from './events.ts'
import type { RunOptions } from './options.ts'
import type { PreparedRun } from './prepared.ts'
import { mergeRemoteManifest } from './remote-manifest.ts'

// CI systems grant seven seconds after a cancel; the rest of the way out needs some of them.
const CANCELLED_DRAIN_MS = 4000

export interface Sender {
  /** Queues a finished unit's files; resolves when all are confirmed (true) or not (false), and never rejects. */
  readonly send: (key: string, files: readonly LedgerFile[]) => Promise<boolean>
  /** Queues what earlier runs made; what the bucket has already costs nothing. */
  readonly sendKept: (kept: readonly Decision[]) => void
  /** Waits for the uploads, then sends the manifest. After an abort only what is on its way. */
  readonly finish: (
    manifest: Uint8Array,
    signal: AbortSignal,
  ) => Promise<{ readonly uploaded: number; readonly failed: number }>
  readonly close: () => Promise<void>
}

const NO_BUCKET: Sender = {
  send: () => Promise.resolve(true),
  sendKept: () => {},
  finish: () => Promise.resolve({ uploaded: 0, failed: 0 }),
  close: () => Promise.resolve(),
}

/**
 * Opens the bucket and proves that it can be written, before any model loads.
 * @throws PregenError `E_NO_BUCKET`, `E_ACCESS_DENIED` and their kin
 */
export async function createSender(
  prepared: PreparedRun,
  options: RunOptions,
  ledger: Ledger,
  decisions: readonly Decision[],
  emit: EmitRunEvent,
): Promise<Sender> {
  const { layout, sheet } = prepared
  if (sheet.storage === null || options.dryRun) return NO_BUCKET
  const { createUploader } = await import('../storage/uploader.ts')
  const settings = sheet.storage
  const concurrency = options.concurrency ?? settings.concurrency
  const storage = await openBucket(settings, concurrency)
  // A bucket that has everything is not written to, not even for a probe.
  if (options.verifyRemote || !decisions.every((decision) => isSent(decision, ledger, storage.description))) {
    for (const message of await storage.preflight())
      emit({ type: 'warning', code: 'W_BUCKET_POLICY', message })
  }

  const uploader = createUploader({
    storage,
    ledger,
    emit,
    concurrency,
    verifyRemote: options.verifyRemote,
    prefix: layout.prefix,
  })
  const folderOf = new Map(
    prepared.units.map(({ key, unit }) => [key, layout.variantFolder(unit.cue, unit.variant)]),
  )
  const send = (key: string, files: readonly LedgerFile[]) => {
    const folder = folderOf.get(key)
    if (folder === undefined) throw new Error(`${key} was sent but never planned`)
    return uploader.add({ key, folder, files })
  }

  return {
    send,
    sendKept(kept) {
      for (const { entry } of kept) {
        const recorded = ledger.units.get(entry.key)
        // Failures are counted and told by the uploader itself.
        if (recorded) void send(entry.key, recorded.files)
      }
    },
    async finish(manifest, signal) {
      const key = layout.manifestKey
      if (!signal.aborted) {
        const bytes = prepared.shard === null ? manifest : await mergeRemoteManifest(storage, key, manifest)
        uploader.setManifest(key, bytes)
      }
      const summary = await uploader.drain(signal.aborted ? { deadlineMs: CANCELLED_DRAIN_MS } : {})
      return { uploaded: summary.uploaded, failed: summary.failures.length }
    },
    close: () => storage.close(),
  }
}

/** Whether a unit stays as it is and the ledger knows all its files to be in the bucket. */
function isSent({ action, entry }: Decision, ledger: Ledger, target: string): boolean {
  const recorded = ledger.units.get(entry.key)
  const sent = ledger.sent.get(target)?.get(entry.key)
  return (
    action === 'skip' &&
    recorded !== undefined &&
    recorded.files.every(({ name, sha256 }) => sent?.get(name)?.sha256 === sha256)
  )
}

/** The bucket that a sheet names; the SDK loads here and not before. */
export async function openBucket(settings: SheetStorage, concurrency: number): Promise<Storage> {
  const [{ createS3Storage }, { prefixStorage }] = await Promise.all([
    import('../storage/s3.ts'),
    import('../storage/prefixed.ts'),
  ])
  const { bucket, endpoint, region, forcePathStyle, prefix } = settings
  const probePrefix = prefix === '' ? undefined : prefix
  const options = { bucket, endpoint, region, forcePathStyle, concurrency, probePrefix }
  return prefixStorage(createS3Storage(options), prefix)
}
