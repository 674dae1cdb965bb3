/** What the uploader takes, and what it tells. */

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
  /** When it was last changed by pregen, as `stat` tells it; absent: its content is hashed before it goes out. */
  readonly mtimeMs?: number | undefined
}

export interface UploadFolder {
  /** Key of the folder: `foigoi/<version>/cues/<cue>/<variant>`. */
  readonly key: string
  /** Where its files are on disk. */
  readonly folder: string
  readonly files: readonly UploadFile[]
}
