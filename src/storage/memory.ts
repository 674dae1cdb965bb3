/** A store in memory: for tests, and for measuring everything but a disk and a network. */
import { createHash } from 'node:crypto'
import type { Storage, StoredObject } from './storage.ts'

export interface MemoryStorage extends Storage {
  readonly kind: 'memory'
  /** What is stored, with how it was sent. */
  readonly objects: ReadonlyMap<string, MemoryObject>
}

export interface MemoryObject extends StoredObject {
  readonly md5: string
  readonly body: Uint8Array
  readonly contentType: string
  readonly cacheControl: string
}

/** @param options.keepBodies false: sizes and checksums only, so that a test of 10,000 units stays small */
export function createMemoryStorage(options: { keepBodies?: boolean } = {}): MemoryStorage {
  const keepBodies = options.keepBodies ?? true
  const objects = new Map<string, MemoryObject>()
  const put: Storage['put'] = async ({ key, body, contentType, cacheControl }, { signal } = {}) => {
    signal?.throwIfAborted()
    const md5 = createHash('md5').update(body).digest('hex')
    const kept = keepBodies ? Uint8Array.from(body) : new Uint8Array()
    objects.set(key, {
      key,
      sizeBytes: body.byteLength,
      md5,
      etag: md5,
      body: kept,
      contentType,
      cacheControl,
    })
    return { etag: md5, attempts: 1 }
  }
  return {
    kind: 'memory',
    description: 'memory',
    objects,
    put,
    async head(key) {
      const object = objects.get(key)
      return object ? { key, sizeBytes: object.sizeBytes, md5: object.md5, etag: object.md5 } : null
    },
    async get(key) {
      const object = objects.get(key)
      return object ? Uint8Array.from(object.body) : null
    },
    async read(key) {
      const object = objects.get(key)
      return object ? { body: Uint8Array.from(object.body), etag: object.md5 } : null
    },
    async replace(object, expected, options) {
      const there = objects.get(object.key)?.md5 ?? null
      return there === expected ? put(object, options) : null
    },
    heedsConditions: async () => true,
    async *list(prefix, { startAfter = '', upTo } = {}) {
      for (const key of [...objects.keys()].sort(compareKeys)) {
        const object = objects.get(key)
        if (!object || !key.startsWith(prefix) || compareKeys(key, startAfter) <= 0) continue
        if (upTo !== undefined && compareKeys(key, upTo) > 0) return
        yield { key, sizeBytes: object.sizeBytes, md5: object.md5, etag: object.md5 }
      }
    },
    async delete(key) {
      objects.delete(key)
    },
    preflight: async () => [],
    close: async () => undefined,
  }
}

/** S3's order: by UTF-8 bytes. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
