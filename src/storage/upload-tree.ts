/** `pregen upload DIR`: sends a finished tree, or mends the bucket's copy of it. */
import { readFile } from 'node:fs/promises'
import { MANIFEST_NAME } from '../artifacts/layout.ts'
import type { Ledger } from '../artifacts/ledger.ts'
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
  const { out, storage, ledger, emit, concurrency, verifyRemote, signal } = options
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
    if (version.manifestPath !== null && isWhole) {
      uploader.setManifest(`${prefix}/${MANIFEST_NAME}`, await readFile(version.manifestPath))
    }
    const summary = await uploader.drain()
    total.uploaded += summary.uploaded
    total.uploadedBytes += summary.uploadedBytes
    total.skipped += summary.skipped
    total.pending += summary.pending
    failures.push(...summary.failures)
  }
  return { ...total, failures, problems }
}
