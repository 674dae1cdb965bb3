/** `pregen upload`: the lock, the ledger and the bucket around the tree's uploader. */
import { createStateLayout } from '../artifacts/layout.ts'
import { openLedger } from '../artifacts/ledger.ts'
import { acquireLock } from '../artifacts/lock.ts'
import type { SheetStorage } from '../cue-sheet/sheet.ts'
import type { UploadTreeResult } from '../storage/upload-tree.ts'
import { isShardFolder } from './bucket-target.ts'
import type { EmitRunEvent } from './events.ts'
import { openBucket, proveBucket } from './open-bucket.ts'

export interface SendTreeOptions {
  /** The output folder. */
  readonly out: string
  readonly settings: SheetStorage
  readonly concurrency: number
  /** Skip by what the bucket lists, not by what the ledger remembers. */
  readonly verifyRemote: boolean
  readonly emit: EmitRunEvent
  readonly signal: AbortSignal
}

/** @throws PregenError `E_LOCKED`, or what the bucket's preflight finds */
export async function sendTree(options: SendTreeOptions): Promise<UploadTreeResult> {
  const { out, settings, concurrency, verifyRemote, emit, signal } = options
  const { uploadTree } = await import('../storage/upload-tree.ts')
  const state = createStateLayout(out)
  const lock = await acquireLock(state.lockPath)
  try {
    const ledger = await openLedger(state.ledgerPath)
    try {
      const storage = await openBucket(settings, concurrency)
      await proveBucket(storage, emit)
      try {
        const isShard = await isShardFolder(out)
        return await uploadTree({ out, storage, ledger, emit, concurrency, verifyRemote, isShard, signal })
      } finally {
        await storage.close()
      }
    } finally {
      await ledger.close()
    }
  } finally {
    await lock.release()
  }
}
