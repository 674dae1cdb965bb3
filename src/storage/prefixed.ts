/** A part of a store as a store of its own: every key under one prefix. */
import type { Storage, StoredObject } from './storage.ts'

/** @param prefix without slashes at its ends; "" gives the storage itself */
export function prefixStorage(storage: Storage, prefix: string): Storage {
  if (prefix === '') return storage
  const outer = (key: string) => `${prefix}/${key}`
  const inner = (object: StoredObject): StoredObject => ({
    ...object,
    key: object.key.slice(prefix.length + 1),
  })
  return {
    kind: storage.kind,
    description: `${storage.description}/${prefix}`,
    put: (object, options) => storage.put({ ...object, key: outer(object.key) }, options),
    async head(key, options) {
      const found = await storage.head(outer(key), options)
      return found && inner(found)
    },
    get: (key, options) => storage.get(outer(key), options),
    read: (key, options) => storage.read(outer(key), options),
    replace: (object, expected, options) =>
      storage.replace({ ...object, key: outer(object.key) }, expected, options),
    heedsConditions: (options) => storage.heedsConditions(options),
    async *list(under, { startAfter, upTo, ...options } = {}) {
      const range = {
        startAfter: startAfter === undefined ? undefined : outer(startAfter),
        upTo: upTo === undefined ? undefined : outer(upTo),
      }
      for await (const object of storage.list(outer(under), { ...options, ...range })) yield inner(object)
    },
    delete: (key, options) => storage.delete(outer(key), options),
    preflight: () => storage.preflight(),
    close: () => storage.close(),
  }
}
