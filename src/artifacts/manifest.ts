/** `manifest.json`: one a version; every picture that is there, with what it was made of. */
import { PregenError } from '../errors.ts'
import { trimEndOf } from '../trim.ts'
import { isRecord, isShallow } from './is-record.ts'
import { OUTPUT_KINDS } from './output-kinds.ts'

export const MANIFEST_VERSION = 1

export interface ManifestMetadata {
  readonly width: number
  readonly height: number
  /** The kind's: `png`. */
  readonly format: string
  /** A string: seeds go up to 2^64 − 1, which JSON's numbers do not hold. */
  readonly seed: string
  /** As asked for. */
  readonly steps: number
  /** As executed: fewer in image-to-image. */
  readonly steps_executed: number
  readonly guidance_scale: number
  /** Image-to-image only. */
  readonly denoise_strength?: number | undefined
  readonly scheduler: string
  readonly model: string
  readonly model_fingerprint: string
  readonly file_size_bytes: number
  readonly sha256: string
  /** Seconds. */
  readonly generation_time: number
  /** Of a video. */
  readonly duration_seconds?: number | undefined
  readonly fps?: number | undefined
  readonly num_frames?: number | undefined
  /**
   * How a reference picture was used: `none` (text-to-image), `img2img` or `exact_copy`; of a video `none`, `start`, `end` or
   * `both` for its first and last frame, `single` for a video that it was drawn from.
   */
  readonly reference_mode: string
  /** Place of the unit in the whole sheet, from 0; the same in every shard. */
  readonly asset_index: number
}

export interface ManifestAsset {
  /** Its kind of output: `image`. */
  readonly type: string
  readonly cue: string
  readonly variant: string
  readonly program: string
  /** Relative to the manifest, or absolute with `storage.public_url`. */
  readonly url: string
  readonly thumbnail_url: string | null
  /** null: no step pictures. */
  readonly timing_url: string | null
  /** As the model got it, the template filled. Entries written by earlier releases have none. */
  readonly prompt?: string | undefined
  readonly negative_prompt?: string | undefined
  /** The keys of its cue's matrix with this variant's values, in the order of the sheet. */
  readonly axes?: Readonly<Record<string, string>> | undefined
  readonly metadata: ManifestMetadata
}

export interface Manifest {
  readonly manifest_version: typeof MANIFEST_VERSION
  /** The version id. */
  readonly version: string
  /** In order of `asset_index`, then of cue and variant. */
  readonly assets: readonly ManifestAsset[]
}

/**
 * One manifest of several: of shards, or of an earlier run and this one. What stands later wins for the same
 * variant; the order of the result does not depend on who finished first.
 * @param isPlanned variants for which it says false are left out (they are in the sheet no more)
 */
export function mergeManifests(
  version: string,
  manifests: readonly Manifest[],
  isPlanned: (cue: string, variant: string) => boolean = () => true,
): Manifest {
  const assets = new Map<string, ManifestAsset>()
  for (const manifest of manifests) {
    if (manifest.version !== version) {
      throw new RangeError(`a manifest of version ${manifest.version} cannot be merged into ${version}`)
    }
    for (const asset of manifest.assets) assets.set(JSON.stringify([asset.cue, asset.variant]), asset)
  }
  const planned = [...assets.values()].filter((asset) => isPlanned(asset.cue, asset.variant))
  return { manifest_version: MANIFEST_VERSION, version, assets: planned.sort(compareAssets) }
}

/** A manifest of these assets alone. */
export function createManifest(version: string, assets: readonly ManifestAsset[]): Manifest {
  return mergeManifests(version, [{ manifest_version: MANIFEST_VERSION, version, assets }])
}

function compareAssets(a: ManifestAsset, b: ManifestAsset): number {
  return (
    a.metadata.asset_index - b.metadata.asset_index ||
    compareText(a.cue, b.cue) ||
    compareText(a.variant, b.variant)
  )
}

// By code unit, not by locale: the order must be the same on every machine.
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The bytes of `manifest.json`; the same assets give the same bytes. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`)
}

/**
 * The url of a file of a variant.
 * @param publicUrl `storage.public_url`, the address at which the bucket's root is seen; undefined: relative to
 *   the manifest
 */
export function assetUrl(fileKey: string, prefix: string, publicUrl?: string): string {
  const encode = (key: string) => key.split('/').map(encodeURIComponent).join('/')
  if (publicUrl === undefined) return encode(fileKey.slice(prefix.length + 1))
  return `${trimEndOf(publicUrl, '/')}/${encode(fileKey)}`
}

/**
 * Reads a `manifest.json`.
 * @param file named in the error
 * @throws PregenError `E_MANIFEST_INVALID`
 */
export function parseManifest(text: string, file: string): Manifest {
  const fault = (why: string) =>
    new PregenError('E_MANIFEST_INVALID', `${file} is no manifest of pregen: ${why}`, {
      help: 'Remove it; the next run writes it anew from the ledger.',
      location: { file },
    })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw fault(error instanceof Error ? error.message : String(error))
  }
  if (!isRecord(value)) throw fault('it is not a map')
  if (value.manifest_version !== MANIFEST_VERSION) {
    throw fault(`manifest_version is ${JSON.stringify(value.manifest_version)}, not ${MANIFEST_VERSION}`)
  }
  if (typeof value.version !== 'string') throw fault('"version" is missing')
  if (!Array.isArray(value.assets)) throw fault('"assets" is not a list')
  const assets: ManifestAsset[] = []
  for (const [index, asset] of value.assets.entries()) {
    const missing = missingField(asset)
    if (missing !== null) throw fault(`assets[${index}].${missing} is missing or of the wrong kind`)
    if (isAsset(asset)) assets.push(asset)
  }
  return { manifest_version: MANIFEST_VERSION, version: value.version, assets }
}

const ASSET_FIELDS = {
  cue: 'string',
  variant: 'string',
  program: 'string',
  url: 'string',
} as const

const METADATA_FIELDS = {
  width: 'number',
  height: 'number',
  format: 'string',
  seed: 'string',
  steps: 'number',
  steps_executed: 'number',
  guidance_scale: 'number',
  scheduler: 'string',
  model: 'string',
  model_fingerprint: 'string',
  file_size_bytes: 'number',
  sha256: 'string',
  generation_time: 'number',
  reference_mode: 'string',
  asset_index: 'number',
} as const

function missingField(asset: unknown): string | null {
  if (!isRecord(asset)) return 'type'
  if (!OUTPUT_KINDS.some(({ type }) => type === asset.type)) return 'type'
  for (const [field, kind] of Object.entries(ASSET_FIELDS)) {
    if (typeof asset[field] !== kind) return field
  }
  for (const field of ['thumbnail_url', 'timing_url']) {
    if (asset[field] !== null && typeof asset[field] !== 'string') return field
  }
  if (!isRecord(asset.metadata)) return 'metadata'
  for (const [field, kind] of Object.entries(METADATA_FIELDS)) {
    if (typeof asset.metadata[field] !== kind) return `metadata.${field}`
  }
  // Nothing that is nested, whoever wrote it: lines are compared and written again.
  if (!isShallow(asset, 2)) return 'metadata'
  return null
}

/** Whether something read back is a manifest's line. */
export function isAsset(asset: unknown): asset is ManifestAsset {
  return missingField(asset) === null
}
