/** `pregen upload DIR`: sends a finished tree, or mends the bucket's copy of it. */
import { confine } from '../artifacts/confinement.ts'
import { MANIFEST_NAME, PAGE_ROOT } from '../artifacts/file-names.ts'
import { parseVariantKey, pathOfKey } from '../artifacts/layout.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import { encodeManifest } from '../artifacts/manifest.ts'
import { readPage, writePage } from '../artifacts/page.ts'
import { PregenError } from '../errors.ts'
import { unitName } from '../plan/unit.ts'
import { type SendPageResult, sendPage } from './send-page.ts'
import { sendSharedManifest } from './shared-manifest.ts'
import type { Storage } from './storage.ts'
import { readTree, type TreeProblem, type TreeVariant, type TreeVersion } from './tree.ts'
import { readTreeManifest } from './tree-manifest.ts'
import { recordOfUnit } from './upload-folder.ts'
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
  /** Variants are sent, too, that no manifest of the tree speaks of: the sheet has them no more, most likely. */
  readonly isAll?: boolean | undefined
  /** The built page of this release, which takes the place of one that a version has; undefined: none is sent. */
  readonly pageFolder?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Told how many objects are to come: all at first, then less by each that the store turns out to have. */
  readonly onExpected?: ((change: number) => void) | undefined
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

/** Sends every whole variant of every version, then each version's manifest, and its page where it has one. */
export async function uploadTree(options: UploadTreeOptions): Promise<UploadTreeResult> {
  const {
    out,
    storage,
    ledger,
    emit,
    concurrency,
    verifyRemote,
    isShard = false,
    isAll = false,
    signal,
    onExpected,
  } = options
  const total = { variants: 0, uploaded: 0, uploadedBytes: 0, skipped: 0, pending: 0 }
  const failures: UploadFailure[] = []
  const problems: TreeProblem[] = []
  const versions = await readTree(out, ledger, { isOwn: ledger.isOwn })
  onExpected?.(versions.reduce((sum, version) => sum + countObjects(version), 0))
  const onSkipped = (objects: number) => onExpected?.(-objects)
  const shared = { storage, ledger, emit, signal }
  for (const version of versions) {
    const { prefix } = version
    const uploader = createUploader({
      ...{ ...shared, concurrency, verifyRemote, prefix, onSkipped },
      hasRecords: true,
    })
    let isWhole = true
    const known = await readManifest(out, version, isAll, problems)
    for (const variant of version.variants) {
      total.variants += 1
      problems.push(...variant.problems)
      if (!isSendable(variant)) {
        isWhole = false
        continue
      }
      if (known?.unlisted.has(variant.key) === true && !isAll) continue
      void uploader.add({ ...variant, record: recordOfUnit(ledger, variant) })
    }
    const key = `${prefix}/${MANIFEST_NAME}`
    const manifest = isWhole ? known?.bytes : undefined
    const isPart = isShard || version.manifestPaths.length > 1
    if (manifest && !isPart) uploader.setManifest(key, manifest)
    const summary = await uploader.drain()
    total.uploaded += summary.uploaded
    total.uploadedBytes += summary.uploadedBytes
    total.skipped += summary.skipped
    total.pending += summary.pending
    failures.push(...summary.failures)
    const isSent = summary.failures.length === 0 && summary.pending === 0
    if (!manifest || !isSent) continue
    const page = async () => {
      const sent = await sendPageOf(options, version)
      total.uploaded += sent.uploaded
      total.uploadedBytes += sent.uploadedBytes
      total.skipped += sent.skipped
      total.pending += sent.isStopped ? 1 : 0
      if (sent.failure) failures.push(sent.failure)
    }
    if (!isPart) {
      await page()
      continue
    }
    const sent = await sendSharedManifest({ ...shared, key, ours: manifest })
    total.uploaded += sent.uploaded
    total.uploadedBytes += sent.uploadedBytes
    total.pending += sent.isStopped ? 1 : 0
    if (sent.failure) failures.push(sent.failure)
    if (sent.failure || sent.isStopped) continue
    if (sent.uploaded === 0) {
      total.skipped += 1
      onSkipped(1)
    }
    await page()
  }
  return { ...total, failures, problems }
}

const NO_PAGE: SendPageResult = {
  ...{ uploaded: 0, uploadedBytes: 0, skipped: 0, failure: null, isStopped: false },
}

/** What stands in a folder may be anybody's script: what goes out is this release's page, in its place. */
async function sendPageOf(
  { out, storage, ledger, emit, pageFolder, verifyRemote, signal, onExpected }: UploadTreeOptions,
  { prefix, pageNames }: TreeVersion,
): Promise<SendPageResult> {
  if (pageFolder === undefined || !pageNames.includes(PAGE_ROOT)) return NO_PAGE
  const files = await readPage(pageFolder)
  await writePage(out, pathOfKey(out, prefix), files)
  return await sendPage({
    ...{ storage, ledger, prefix, files, verifyRemote, signal },
    emit: (event) => (event.type === 'uploads-expected' ? onExpected?.(event.objects) : emit(event)),
  })
}

/** The manifest's bytes, if they are a manifest; a whole variant that no line speaks of is told. */
async function readManifest(
  out: string,
  version: TreeVersion,
  isAll: boolean,
  problems: TreeProblem[],
): Promise<{ bytes: Uint8Array; unlisted: ReadonlySet<string> } | undefined> {
  const key = `${version.prefix}/${MANIFEST_NAME}`
  try {
    const manifest = await readTreeManifest(confine(out), version)
    if (manifest === null) return undefined
    const listed = new Set(manifest.assets.map(unitName))
    const unlisted = new Set<string>()
    for (const variant of version.variants) {
      const name = parseVariantKey(variant.key)
      if (name === null || listed.has(unitName(name))) continue
      unlisted.add(variant.key)
      if (isAll) continue
      const message = `no manifest here has a line about ${unitName(name)}: it is no longer in the sheet, or came without its manifest; --all sends it all the same`
      problems.push({ key, code: 'incomplete', message })
    }
    return { bytes: encodeManifest(manifest), unlisted }
  } catch (error) {
    if (!(error instanceof PregenError)) throw error
    problems.push({ key, code: 'invalid', message: error.message })
    return undefined
  }
}

/** A file of another's in the folder is told of, but keeps nothing back. */
function isSendable({ problems }: TreeVariant): boolean {
  return problems.every(({ code }) => code === 'unexpected' || code === 'incomplete')
}

/** Objects of a version that can be sent, its manifest included where all of it can. */
function countObjects({ variants, manifestPaths }: TreeVersion): number {
  const sendable = variants.filter(isSendable)
  const files = sendable.reduce((sum, variant) => sum + variant.files.length, 0)
  return files + (manifestPaths.length > 0 && sendable.length === variants.length ? 1 : 0)
}
