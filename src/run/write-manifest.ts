/** `manifest.json` of what the ledger knows of this sheet's units, written when it says something new. */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeFileDurably } from '../artifacts/durable-write.ts'
import type { FaultHook } from '../artifacts/faults.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import { createManifest, encodeManifest, type ManifestAsset } from '../artifacts/manifest.ts'
import { errorCode } from '../errors.ts'
import { assetUrls } from './asset.ts'
import type { PreparedRun } from './prepared.ts'

export interface WrittenManifest {
  /** The same units give the same bytes. */
  readonly bytes: Uint8Array
  /** Empty where nothing was ever finished: then there is no file either. */
  readonly assets: readonly ManifestAsset[]
}

/**
 * @throws PregenError `E_DISK_FULL`, `E_WRITE_FAILED`
 */
export async function writeManifest(
  prepared: PreparedRun,
  ledger: Ledger,
  faults: FaultHook,
): Promise<WrittenManifest> {
  const { layout, sheet, version } = prepared
  const assets: ManifestAsset[] = []
  for (const [key, { cue, variant, index }] of prepared.sheetUnits) {
    const recorded = ledger.units.get(key)
    if (!recorded?.asset) continue
    // Place and address follow today's sheet; the rest is as it was when the picture was made.
    assets.push({
      ...recorded.asset,
      ...assetUrls(layout, cue, variant, recorded.files, sheet.storage?.publicUrl),
      metadata: { ...recorded.asset.metadata, asset_index: index },
    })
  }
  const manifest = createManifest(version, assets)
  const bytes = encodeManifest(manifest)
  if (assets.length > 0 && !(await holds(layout.manifestPath, bytes))) {
    await mkdir(dirname(layout.manifestPath), { recursive: true })
    await writeFileDurably(layout.manifestPath, bytes, { faults })
  }
  return { bytes, assets: manifest.assets }
}

async function holds(path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    return Buffer.compare(await readFile(path), bytes) === 0
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}
