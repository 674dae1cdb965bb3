/** What the uploader takes, and what it tells. */
import { resolve } from 'node:path'
import { pathOfKey } from '../artifacts/layout.ts'
import type { Ledger } from '../artifacts/ledger.ts'
import type { ManifestAsset } from '../artifacts/manifest.ts'

/** The run's `object-uploaded` and `upload-failed`. */
export type UploadEvent =
  | {
      readonly type: 'object-uploaded'
      readonly key: string
      readonly sizeBytes: number
      readonly attempts: number
    }
  | {
      readonly type: 'upload-failed'
      readonly key: string
      readonly attempts: number
      readonly message: string
    }
  | { readonly type: 'warning'; readonly code: string; readonly message: string }

/** A file as it must stand in the bucket. */
export interface UploadFile {
  readonly name: string
  /** Lower-case hex. */
  readonly sha256: string
  /** Lower-case hex; computed where it is not known. */
  readonly md5?: string | undefined
  readonly sizeBytes: number
  /**
   * When it was last changed by pregen, as `stat` tells it. Absent: the record is another's, or there is none; then
   * the content is hashed, and must be what the name says, before it goes out.
   */
  readonly mtimeMs?: number | undefined
}

export interface UploadFolder {
  /** Key of the folder: `foigoi/<version>/cues/<cue>/<variant>`. */
  readonly key: string
  /** Where its files are on disk: the output folder, and below it the key. */
  readonly folder: string
  readonly files: readonly UploadFile[]
  /** What the bucket is to say of it, once all of it is confirmed; absent: nothing. */
  readonly record?: UploadRecord | undefined
}

/** Of a unit that is whole and this user's own. */
export interface UploadRecord {
  readonly digest: string
  /** Its line in manifest.json. */
  readonly asset: ManifestAsset
}

/** A file by its content alone: neither the time nor the MD5 of a record that another made is believed. */
export function contentAlone({ name, sha256, sizeBytes }: UploadFile): UploadFile {
  return { name, sha256, sizeBytes }
}

/** The output folder that a folder lies in: what is above its key. */
export function outputFolderOf({ key, folder }: Pick<UploadFolder, 'key' | 'folder'>): string {
  const path = resolve(folder)
  const out = resolve(path, ...key.split('/').map(() => '..'))
  return pathOfKey(out, key) === path ? out : path
}

/** What the bucket is told of a whole unit of this user's own: what came from elsewhere, nobody vouches for. */
export function recordOfUnit(
  ledger: Ledger,
  { key, files }: Pick<UploadFolder, 'key' | 'files'>,
): UploadRecord | undefined {
  const unit = ledger.units.get(key)
  if (!unit?.asset || unit.complete === false || !ledger.isOwn(key)) return undefined
  const names = new Set(files.map(({ name }) => name))
  return unit.files.every(({ name }) => names.has(name))
    ? { digest: unit.digest, asset: unit.asset }
    : undefined
}
