/** `pregen upload`: the lock, the ledger and the bucket around the tree's uploader. */
import { resolve } from 'node:path'
import { createStateLayout } from '../artifacts/layout.ts'
import { openLedger } from '../artifacts/ledger.ts'
import { openOrigin } from '../artifacts/origin.ts'
import type { SheetStorage } from '../cue-sheet/sheet.ts'
import { isShardFolder } from '../run/bucket-target.ts'
import type { EmitRunEvent } from '../run/events.ts'
import { lockOutput } from '../run/lock-output.ts'
import { openBucket, proveBucket } from '../run/open-bucket.ts'
import { watchFileSystem } from '../run/warn-of-file-system.ts'
import type { EndpointPolicy } from '../storage/s3-endpoint.ts'
import type { UploadTreeResult } from '../storage/upload-tree.ts'

export interface SendTreeOptions {
  /** The output folder. */
  readonly out: string
  readonly settings: SheetStorage
  readonly concurrency: number
  /** How far the endpoint may lead. */
  readonly policy: EndpointPolicy
  /** Skip by what the bucket lists, not by what the ledger remembers. */
  readonly verifyRemote: boolean
  /** Variants that no manifest of the tree speaks of are sent, too. */
  readonly isAll?: boolean | undefined
  /** The built page, for versions that have it. */
  readonly pageFolder: string
  readonly emit: EmitRunEvent
  readonly signal: AbortSignal
  /** As a run's: whose records are this user's own. */
  readonly stateDir?: string | undefined
}

/** @throws PregenError `E_LOCKED`, or what the bucket's preflight finds */
export async function sendTree(options: SendTreeOptions): Promise<UploadTreeResult> {
  const { out, settings, concurrency, policy, verifyRemote, pageFolder, emit, signal, stateDir } = options
  const { uploadTree } = await import('../storage/upload-tree.ts')
  const state = createStateLayout(out)
  const fileSystem = watchFileSystem(resolve(out))
  fileSystem.tellTo((warning) => emit({ type: 'warning', ...warning }))
  const lock = await lockOutput(state.lockPath).catch((error: unknown) => {
    fileSystem.end()
    throw error
  })
  try {
    const ledger = await openLedger(state.ledgerPath, { origin: openOrigin(stateDir) })
    try {
      const storage = await openBucket(settings, { concurrency, ...policy })
      await proveBucket(storage, emit)
      try {
        const isShard = await isShardFolder(out)
        const onExpected = (objects: number) => emit({ type: 'uploads-expected', objects })
        const how = {
          concurrency,
          verifyRemote,
          isShard,
          isAll: options.isAll,
          pageFolder,
          signal,
          onExpected,
        }
        return await uploadTree({ out, storage, ledger, emit, ...how })
      } finally {
        await storage.close()
      }
    } finally {
      await ledger.close()
    }
  } finally {
    await lock.release()
    fileSystem.end()
  }
}
