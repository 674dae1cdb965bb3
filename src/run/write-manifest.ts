/** `manifest.json` of what the ledger knows of this sheet's units, written when it says something new. */
import { dirname, join } from 'node:path'
import { makeFolder } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { writeFileDurably } from '../artifacts/durable-write.ts'
import { outputKindOfAsset } from '../artifacts/file-names.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import { createManifest, encodeManifest, type ManifestAsset } from '../artifacts/manifest.ts'
import { holds } from '../artifacts/page.ts'
import type { WriteHook } from '../artifacts/write-points.ts'
import { unitName } from '../plan/unit.ts'
import { assetUrls } from './asset.ts'
import type { PreparedRun } from './prepared.ts'

export interface WrittenManifest {
  /** What the bucket gets: units that stand there alone included. The same units give the same bytes. */
  readonly bytes: Uint8Array
  /** Empty where nothing was ever finished: then there is no file either. */
  readonly assets: readonly ManifestAsset[]
  /** Whether the folder has one too: not where all units stand in the bucket alone. */
  readonly isOnDisk: boolean
}

/**
 * @throws PregenError `E_DISK_FULL`, `E_WRITE_FAILED`
 */
export async function writeManifest(
  prepared: PreparedRun,
  ledger: Ledger,
  published: ReadonlyMap<string, ManifestAsset>,
  onPoint: WriteHook,
): Promise<WrittenManifest> {
  const { layout, sheet, version } = prepared
  const assets: ManifestAsset[] = []
  for (const [key, { cue, variant, index }] of prepared.sheetUnits) {
    const recorded = ledger.units.get(key)
    if (!recorded?.asset) continue
    // Place and address follow today's sheet; the rest is as it was when the picture was made.
    const kind = outputKindOfAsset(recorded.asset)
    const published = { layout, cue, variant, kind, files: recorded.files }
    assets.push({
      ...recorded.asset,
      ...{ cue, variant },
      ...assetUrls({ ...published, publicUrl: sheet.storage?.publicUrl }),
      metadata: { ...recorded.asset.metadata, asset_index: index },
    })
  }
  const manifest = createManifest(version, assets)
  const bytes = encodeManifest(manifest)
  const inside = confine(layout.out)
  const folder = dirname(layout.manifestPath)
  // Shards' trees may be copied into one: then the last manifest stands, and each one's own lines beside it.
  const own = prepared.shard === null ? [] : [`manifest.shard-${prepared.shard.replace('/', '-of-')}.json`]
  for (const path of [layout.manifestPath, ...own.map((name) => join(folder, name))]) {
    if (assets.length === 0 || (await holds(inside, path, bytes))) continue
    makeFolder(inside, folder)
    await writeFileDurably(path, bytes, { inside, onPoint })
  }
  const isOnDisk = assets.length > 0
  if (published.size === 0) return { bytes, assets: manifest.assets, isOnDisk }
  const isHere = new Set(assets.map(unitName))
  const elsewhere = [...published.values()].filter((asset) => !isHere.has(unitName(asset)))
  const whole = createManifest(version, [...assets, ...elsewhere])
  return { bytes: encodeManifest(whole), assets: whole.assets, isOnDisk }
}
