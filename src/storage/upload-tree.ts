/** `pregen upload DIR`: sends a finished tree, or mends the bucket's copy of it. */
import { readFile } from 'node:fs/promises'
import { MANIFEST_NAME } from '../artifacts/layout.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import { sendSharedManifest } from './shared-manifest.ts'
import type { Storage } from './storage.ts'
import { readTree, type TreeProblem } from './tree.ts'
import { createUploader, type UploadEvent, type UploadFailure } from './uploader.ts'

export interface UploadTreeOptions {
  /** The output folder; its lock must be held. */
  readonly out: string
  readonly storage: Storage
  readonly ledger: Ledger
  readonly emit: (event: UploadEvent) => void
  readonly concurrency?: number | undefined
  readonly verifyRemote?: boolean | undefined
  /** The tree is a shard's: its manifest is laid over the bucket's, and not put in its place. */
  readonly isShard?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface UploadTreeResult {
  readonly variants: number
  readonly uploaded: number
  readonly uploadedBytes: number
  readonly skipped: number
  readonly failures: readonly UploadFailure[]
  readonly pending: number
  /** What is wrong on disk. Variants with a fault are not sent: a bucket must hold whole ones only. */
  readonly problems: readonly TreeProblem[]
}

/** Sends every whole variant of every version, then each version's manifest. */
export async function uploadTree(options: UploadTreeOptions): Promise<UploadTreeResult> {
  const { out, storage, ledger, emit, concurrency, verifyRemote, isShard = false, signal } = options
  const total = { variants: 0, uploaded: 0, uploadedBytes: 0, skipped: 0, pending: 0 }
  const failures: UploadFailure[] = []
  const problems: TreeProblem[] = []
  for (const version of await readTree(out, ledger)) {
    const { prefix } = version
    const uploader = createUploader({ storage, ledger, emit, concurrency, verifyRemote, prefix, signal })
    let isWhole = true
    for (const variant of version.variants) {
      total.variants += 1
      problems.push(...variant.problems)
      // A file of another's in the folder is told of, but keeps nothing back.
      if (variant.problems.some(({ code }) => code !== 'unexpected' && code !== 'incomplete')) {
        isWhole = false
        continue
      }
      void uploader.add(variant)
    }
    const key = `${prefix}/${MANIFEST_NAME}`
    const manifest =
      version.manifestPath !== null && isWhole ? await readFile(version.manifestPath) : undefined
    if (manifest && !isShard) uploader.setManifest(key, manifest)
    const summary = await uploader.drain()
    total.uploaded += summary.uploaded
    total.uploadedBytes += summary.uploadedBytes
    total.skipped += summary.skipped
    total.pending += summary.pending
    failures.push(...summary.failures)
    const isSent = summary.failures.length === 0 && summary.pending === 0
    if (!manifest || !isShard || !isSent) continue
    const shared = await sendSharedManifest({ storage, ledger, key, ours: manifest, emit, signal })
    total.uploaded += shared.uploaded
    total.uploadedBytes += shared.uploadedBytes
    total.pending += shared.isStopped ? 1 : 0
    if (shared.failure) failures.push(shared.failure)
    else if (!shared.isStopped) total.skipped += 1 - shared.uploaded
  }
  return { ...total, failures, problems }
}
