/** Shards have a manifest each but the bucket has one: a shard adds its own lines to what stands there. */
import { encodeManifest, mergeManifests, parseManifest } from '../artifacts/manifest.ts'
import type { Storage } from '../storage/storage.ts'

/**
 * Our manifest laid over the one in the store, if there is one of the same version.
 * @param isPlanned whether the sheet has such a variant: other lines in the store are of an earlier sheet
 * @throws PregenError `E_MANIFEST_INVALID` when what stands there is no manifest
 */
export async function mergeRemoteManifest(
  storage: Storage,
  key: string,
  ours: Uint8Array,
  isPlanned: (cue: string, variant: string) => boolean,
): Promise<Uint8Array> {
  const there = await storage.get(key)
  if (there === null) return ours
  const own = parseManifest(Buffer.from(ours).toString('utf8'), key)
  const remote = parseManifest(Buffer.from(there).toString('utf8'), `${storage.description}/${key}`)
  return encodeManifest(mergeManifests(own.version, [remote, own], isPlanned))
}
