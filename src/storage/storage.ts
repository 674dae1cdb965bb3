/** Where finished files go. Three members: disk, memory, S3. One contract suite proves them alike. */

export interface StorageObject {
  /** Key relative to the storage's root: `foigoi/<version>/cues/<cue>/<variant>/final.png`. Forward slashes. */
  readonly key: string
  readonly body: Uint8Array
  readonly contentType: string
  readonly cacheControl: string
  /** sha-256 of the body in lower-case hex, where the caller has it: saves a member computing it again. */
  readonly sha256?: string | undefined
  /** Likewise its MD5. */
  readonly md5?: string | undefined
}

export interface StoredObject {
  readonly key: string
  readonly sizeBytes: number
  /** MD5 of the body in lower-case hex where the member knows it (S3: the ETag of a single PUT), else null. */
  readonly md5: string | null
  /** Bare, as a PUT's answer gives it; null where the member has none. */
  readonly etag: string | null
}

export interface ReadObject {
  readonly body: Uint8Array
  /** What `replace` goes by: another content, another ETag. */
  readonly etag: string
}

export interface PutResult {
  readonly etag: string | null
  /** PUT requests it took, 1 = at the first try. */
  readonly attempts: number
}

export interface CallOptions {
  /** Ends the call, its retries included. */
  readonly signal?: AbortSignal | undefined
}

export interface PutOptions extends CallOptions {
  /** Told whenever some of the body has been taken. */
  readonly onProgress?: (() => void) | undefined
}

export interface ReadOptions extends CallOptions {
  /** Most bytes of the object; what is larger is a fault, and is not read to its end. Default 128 MiB. */
  readonly maxBytes?: number | undefined
}

export interface ListOptions extends CallOptions {
  /** Only keys behind this one. */
  readonly startAfter?: string | undefined
  /** Only keys up to this one, itself included. */
  readonly upTo?: string | undefined
  /** All attempts of each page together. */
  readonly deadlineMs?: number | undefined
  /** Told of keys that are left out: not under the prefix, with `..` or with characters that no key of pregen's has. */
  readonly onIgnored?: ((key: string) => void) | undefined
}

export interface Storage {
  readonly kind: 'disk' | 'memory' | 's3'
  /** For messages: `s3://show` or a folder. Never a secret. */
  readonly description: string
  /**
   * Stores one object whole, replacing what was there; resolves only when the store has confirmed the content.
   * @throws PregenError `E_UPLOAD_…` after its own retries
   */
  put(object: StorageObject, options?: PutOptions): Promise<PutResult>
  /** null when there is no such object. */
  head(key: string, options?: CallOptions): Promise<StoredObject | null>
  get(key: string, options?: ReadOptions): Promise<Uint8Array | null>
  /** The object with its ETag; null when there is none. */
  read(key: string, options?: ReadOptions): Promise<ReadObject | null>
  /**
   * Stores an object only where what `read` saw still stands, so that no other writer's change is undone.
   * @param expected the ETag that `read` gave; null: nothing stood there
   * @returns null where something else stands there by now, and nothing was stored
   */
  replace(object: StorageObject, expected: string | null, options?: CallOptions): Promise<PutResult | null>
  /** Whether `replace` holds against other writers; found out on the store itself, once. */
  heedsConditions(options?: CallOptions): Promise<boolean>
  /** All objects under a prefix, in key order. */
  list(prefix: string, options?: ListOptions): AsyncIterable<StoredObject>
  delete(key: string, options?: CallOptions): Promise<void>
  /** Proves access before any model loads; returns warnings for what the policy forbids but a run does not need. */
  preflight(): Promise<readonly string[]>
  /** Ends calls that are still open. */
  close(): Promise<void>
}
