/** What the manifests of a tree say together: one of the version, and those of shards whose trees were copied into one. */
import { MANIFEST_BYTES, readFileInside } from '../artifacts/confined-files.ts'
import type { Confinement } from '../artifacts/confinement.ts'
import { outputKindOfFiles } from '../artifacts/file-names.ts'
import { parseVariantKey } from '../artifacts/layout.ts'
import { type Manifest, type ManifestAsset, mergeManifests, parseManifest } from '../artifacts/manifest.ts'
import type { TreeVersion } from './tree.ts'

/**
 * Lines of all manifests of a version; of two that speak of the same variant, the one whose picture stands there.
 * @returns null where there is none
 * @throws PregenError `E_MANIFEST_INVALID`
 */
export async function readTreeManifest(inside: Confinement, tree: TreeVersion): Promise<Manifest | null> {
  const manifests: Manifest[] = []
  for (const path of tree.manifestPaths) {
    const { bytes } = await readFileInside(inside, path, MANIFEST_BYTES)
    manifests.push(parseManifest(bytes.toString('utf8'), path))
  }
  const own = manifests.at(-1)
  if (own === undefined || manifests.length === 1) return own ?? null
  const pictures = new Map<string, string>()
  for (const { key, files } of tree.variants) {
    const name = parseVariantKey(key)
    const kind = outputKindOfFiles(files.map((file) => file.name))
    const final = files.find((file) => file.name === kind?.name)
    if (name && final) pictures.set(`${name.cue}/${name.variant}`, final.sha256)
  }
  const isTrue = ({ cue, variant, metadata }: ManifestAsset) =>
    pictures.get(`${cue}/${variant}`) === metadata.sha256
  // A shard's line counts where its picture stands; the version's own are judged by whoever reads them.
  const ofShards = manifests
    .filter((manifest) => manifest !== own && manifest.version === own.version)
    .map((manifest) => ({ ...manifest, assets: manifest.assets.filter(isTrue) }))
  const truer = new Set(
    ofShards.flatMap(({ assets }) => assets.map(({ cue, variant }) => `${cue}/${variant}`)),
  )
  const kept = own.assets.filter((asset) => isTrue(asset) || !truer.has(`${asset.cue}/${asset.variant}`))
  return mergeManifests(own.version, [...ofShards, { ...own, assets: kept }])
}
