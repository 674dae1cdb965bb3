/** A folder as a store: a mounted share, or a second disk. Objects are written as durably as pregen's own files. */

import { dirname, join, resolve } from 'node:path'
import { PICTURE_BYTES, readFileInside, removeFileInside, stateInside } from '../artifacts/confined-files.ts'
import { type OpenFolder, openFolder } from '../artifacts/confined-folder.ts'
import { confine } from '../artifacts/confinement.ts'
import { writeFileDurably } from '../artifacts/durable-write.ts'
import { hashBytes } from '../artifacts/file-state.ts'
import { pathOfKey } from '../artifacts/layout.ts'
import { makeFolderInside, openOutputFolder } from '../artifacts/output-folder.ts'
import { isTemporaryName } from '../artifacts/temporary-name.ts'
import { errorCode, PregenError } from '../errors.ts'
import { compareKeys } from './memory.ts'
import type { Storage, StoredObject } from './storage.ts'

/** @param folder made at the first write */
export function createDiskStorage(folder: string): Storage {
  const root = resolve(folder)
  const readOrNull = async <T>(read: () => T | Promise<T>): Promise<T | null> => {
    try {
      return await read()
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return null
      // A folder of that name is no object.
      if (error instanceof PregenError && error.code === 'E_OUTPUT_KIND') return null
      throw error
    }
  }
  const put: Storage['put'] = async ({ key, body }, { signal } = {}) => {
    signal?.throwIfAborted()
    const path = pathOfKey(root, key)
    await openOutputFolder(root)
    await makeFolderInside(root, dirname(path))
    await writeFileDurably(path, body, { inside: confine(root) })
    return { etag: null, attempts: 1 }
  }
  const read: Storage['read'] = (key) =>
    readOrNull(async () => {
      const { bytes } = await readFileInside(confine(root), pathOfKey(root, key), PICTURE_BYTES)
      const body = Uint8Array.from(bytes)
      return { body, etag: hashBytes(body) }
    })
  return {
    kind: 'disk',
    description: root,
    put,
    read,
    async replace(object, expected, options) {
      const there = await read(object.key)
      return (there?.etag ?? null) === expected ? put(object, options) : null
    },
    // A file system looks and renames in two steps, between which another writer fits.
    heedsConditions: async () => false,
    head: (key) =>
      readOrNull(async () => {
        const state = await stateInside(confine(root), pathOfKey(root, key))
        return state?.isFile() ? { key, sizeBytes: state.size, md5: null, etag: null } : null
      }),
    get: async (key) => (await read(key))?.body ?? null,
    async *list(prefix, { startAfter, upTo } = {}) {
      const objects: StoredObject[] = []
      const walk = async (opened: OpenFolder | null, parents: string): Promise<void> => {
        try {
          for (const entry of opened?.list() ?? []) {
            const key = `${parents}${entry.name}`
            if (entry.isDirectory())
              await walk(await readOrNull(() => opened?.open(entry.name) ?? null), `${key}/`)
            else if (entry.isFile() && !isTemporaryName(entry.name) && key.startsWith(prefix)) {
              const state = await stateInside(confine(root), join(root, key))
              objects.push({ key, sizeBytes: state?.size ?? 0, md5: null, etag: null })
            }
          }
        } finally {
          opened?.close()
        }
      }
      await walk(await readOrNull(() => openFolder(confine(root), root)), '')
      const isAsked = ({ key }: StoredObject) =>
        (startAfter === undefined || compareKeys(key, startAfter) > 0) &&
        (upTo === undefined || compareKeys(key, upTo) <= 0)
      yield* objects.filter(isAsked).sort((a, b) => compareKeys(a.key, b.key))
    },
    async delete(key) {
      await readOrNull(() => removeFileInside(confine(root), pathOfKey(root, key)))
    },
    async preflight() {
      const probe = join(await openOutputFolder(root), '.pregen-probe')
      await writeFileDurably(probe, new TextEncoder().encode('pregen'))
      await removeFileInside(confine(root), probe)
      return []
    },
    close: async () => undefined,
  }
}
