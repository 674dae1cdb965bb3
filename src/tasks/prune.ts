/** `pregen prune`: what a version holds of variants that its sheet has no more, on disk and in the bucket. */
import { join } from 'node:path'
import { removeFileInside } from '../artifacts/confined-files.ts'
import { removeFolder } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { cacheControlOf, contentTypeOf, TIMING_NAME } from '../artifacts/file-names.ts'
import { isVariantKey, pathOfKey, splitKey } from '../artifacts/layout.ts'
import { openLedger, readLedger } from '../artifacts/ledger.ts'
import { encodeManifest, mergeManifests, parseManifest } from '../artifacts/manifest.ts'
import { openOrigin } from '../artifacts/origin.ts'
import { recordId, recordPrefix } from '../artifacts/unit-record.ts'
import { errorCode } from '../errors.ts'
import { lockOutput } from '../run/lock-output.ts'
import { openBucket, policyOf, proveBucket } from '../run/open-bucket.ts'
import type { SelectOptions } from '../run/options.ts'
import { prepareRun } from '../run/prepare.ts'
import type { PreparedRun } from '../run/prepared.ts'
import { findStrayFilms, removeFilms, type StrayFilms } from '../run/stray-films.ts'
import { strayOnDisk } from '../run/strays.ts'
import { writeManifest } from '../run/write-manifest.ts'
import type { Storage } from '../storage/storage.ts'
import { updateObject } from '../storage/update-object.ts'

export interface PruneResult {
  readonly version: string
  /** Keys of variants on disk, and in the bucket. */
  readonly onDisk: readonly string[]
  readonly inBucket: readonly string[]
  /** Keys of films of steps, of variants that the sheet has no more or of which it wants no such film. */
  readonly films: StrayFilms
  readonly isDone: boolean
}

export interface PruneOptions extends SelectOptions {
  /** false: only told. */
  readonly remove: boolean
  /** false: the disk alone. */
  readonly withBucket: boolean
}

/** @throws PregenErrors with every fault of the sheet; `E_LOCKED`; what the bucket's preflight finds */
export async function pruneSheet(options: PruneOptions): Promise<PruneResult> {
  const prepared = await prepareRun(options)
  const { layout, sheet, version } = prepared
  const lock = options.remove ? await lockOutput(layout.state.lockPath) : null
  const storage =
    sheet.storage === null || !options.withBucket
      ? null
      : await openBucket(sheet.storage, { concurrency: sheet.storage.concurrency, ...policyOf(options) })
  try {
    const onDisk = strayOnDisk(prepared, await readLedger(layout.state.ledgerPath))
    const stored = storage === null ? new Map<string, string[]>() : await strayInBucket(prepared, storage)
    const films = await findStrayFilms(prepared, storage)
    const found = { version, onDisk, inBucket: [...stored.keys()], films }
    if (!options.remove) return { ...found, isDone: false }
    if (storage !== null && stored.size + films.inBucket.length > 0) {
      await proveBucket(storage, () => undefined, sheet)
      await pruneBucket(prepared, storage, stored)
      for (const key of films.inBucket) await storage.delete(key)
    }
    await pruneDisk(prepared, onDisk, options)
    await removeFilms(layout.out, films.onDisk)
    return { ...found, isDone: true }
  } finally {
    await storage?.close()
    await lock?.release()
  }
}

/** Objects by the key of their variant. */
async function strayInBucket(
  { layout, sheetUnits }: PreparedRun,
  storage: Storage,
): Promise<Map<string, string[]>> {
  const strays = new Map<string, string[]>()
  for await (const { key } of storage.list(`${layout.prefix}/cues/`)) {
    const { folder: variant } = splitKey(key)
    if (!isVariantKey(variant) || sheetUnits.has(variant)) continue
    const own = strays.get(variant) ?? []
    own.push(key)
    strays.set(variant, own)
  }
  return strays
}

/** The manifest's lines go first, then markers and records, then pictures: no reader is led to what is gone. */
async function pruneBucket(
  { layout, version }: PreparedRun,
  storage: Storage,
  strays: ReadonlyMap<string, readonly string[]>,
): Promise<void> {
  const key = layout.manifestKey
  const gone = new Set([...strays.keys()])
  const object = { key, contentType: contentTypeOf(key), cacheControl: cacheControlOf(key) }
  if ((await storage.head(key)) !== null) {
    const without = (there: Uint8Array | null) => {
      const manifests = there === null ? [] : [parseManifest(Buffer.from(there).toString('utf8'), key)]
      const isKept = (cue: string, variant: string) => !gone.has(`${layout.prefix}/cues/${cue}/${variant}`)
      return encodeManifest(mergeManifests(version, manifests, isKept))
    }
    await updateObject(storage, object, without, { onUnguarded: () => undefined })
  }
  for (const [variant, keys] of strays) {
    const isMarker = (object: string) => object.endsWith(`/${TIMING_NAME}`)
    for (const marker of keys.filter(isMarker)) await storage.delete(marker)
    const records: string[] = []
    for await (const record of storage.list(recordPrefix(layout.prefix, recordId(variant))))
      records.push(record.key)
    for (const other of [...records, ...keys.filter((one) => !isMarker(one))]) await storage.delete(other)
  }
}

async function pruneDisk(
  prepared: PreparedRun,
  onDisk: readonly string[],
  options: PruneOptions,
): Promise<void> {
  if (onDisk.length === 0) return
  const { layout } = prepared
  const inside = confine(layout.out)
  const ledger = await openLedger(layout.state.ledgerPath, { origin: openOrigin(options.stateDir) })
  try {
    for (const key of onDisk) {
      await ledger.forgetUnit(key)
      for (const [target, keys] of ledger.sent) {
        await ledger.forgetSent(target, key, [...(keys.get(key)?.keys() ?? [])])
      }
      const folder = pathOfKey(layout.out, key)
      try {
        await removeFileInside(inside, join(folder, TIMING_NAME))
      } catch (error) {
        if (errorCode(error) !== 'ENOENT') throw error
      }
      removeFolder(inside, folder)
    }
    await writeManifest(prepared, ledger, new Map(), async () => undefined)
  } finally {
    await ledger.close()
  }
}
