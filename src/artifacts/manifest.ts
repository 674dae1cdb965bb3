/** `manifest.json`: one a version; every picture that is there, with what it was made of. */

import { PregenError } from '../errors.ts'
import { trimEndOf } from '../trim.ts'
import { z } from '../zod.ts'
import { OUTPUT_KINDS } from './output-kinds.ts'
import { asWritten, isShallow } from './read-back.ts'

const MANIFEST_VERSION = 1

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
  const { data, error } = asWritten(manifestSchema, value)
  if (error) throw fault(whyNot(error, value))
  return { manifest_version: MANIFEST_VERSION, version: data.version, assets: data.assets }
}

// What later releases add may stand in a line. Nothing is nested deeper: lines are compared and written again.
const assetSchema: z.ZodType<ManifestAsset> = z
  .looseObject({
    type: z.string().refine((type) => OUTPUT_KINDS.some((kind) => kind.type === type)),
    cue: z.string(),
    variant: z.string(),
    program: z.string(),
    url: z.string(),
    thumbnail_url: z.string().nullable(),
    timing_url: z.string().nullable(),
    prompt: z.string().optional(),
    negative_prompt: z.string().optional(),
    axes: z.record(z.string(), z.string()).optional(),
    metadata: z.looseObject({
      width: z.number(),
      height: z.number(),
      format: z.string(),
      seed: z.string(),
      steps: z.number(),
      steps_executed: z.number(),
      guidance_scale: z.number(),
      denoise_strength: z.number().optional(),
      scheduler: z.string(),
      model: z.string(),
      model_fingerprint: z.string(),
      file_size_bytes: z.number(),
      sha256: z.string(),
      generation_time: z.number(),
      reference_mode: z.string(),
      asset_index: z.number(),
    }),
  })
  .refine(({ type, metadata: { format } }) => isKind(type, format), { path: ['metadata', 'format'] })
  .refine((asset) => isShallow(asset, 2), { path: ['metadata'] })

function isKind(type: string, format: string): boolean {
  return OUTPUT_KINDS.some((kind) => kind.type === type && kind.format === format)
}

const manifestSchema: z.ZodType<Manifest> = z.object({
  manifest_version: z.literal(MANIFEST_VERSION),
  version: z.string(),
  assets: z.array(assetSchema),
})

/** The first thing that is wrong, in words. */
function whyNot(error: z.ZodError, value: unknown): string {
  const [field, index, ...inner] = error.issues[0]?.path ?? []
  if (field === undefined) return 'it is not a map'
  if (field === 'manifest_version') {
    const { manifest_version: written } = z.looseObject({}).parse(value)
    return `manifest_version is ${JSON.stringify(written)}, not ${MANIFEST_VERSION}`
  }
  if (index !== undefined) {
    return `assets[${String(index)}].${inner.join('.') || 'type'} is missing or of the wrong kind`
  }
  return field === 'assets' ? '"assets" is not a list' : `"${String(field)}" is missing`
}

/** Whether something read back is a manifest's line. */
export function isAsset(asset: unknown): asset is ManifestAsset {
  return assetSchema.safeParse(asset).success
}
