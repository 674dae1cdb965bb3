/** A folder as a store: a mounted share, or a second disk. Objects are written as durably as pregen's own files. */

import { readdir, readFile, stat, unlink } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { isTemporaryName, writeFileDurably } from '../artifacts/durable-write.ts'
import { hashBytes } from '../artifacts/file-state.ts'
import { pathOfKey } from '../artifacts/layout.ts'
import { makeFolderInside, openOutputFolder } from '../artifacts/output-folder.ts'
import { errorCode } from '../errors.ts'
import { compareKeys } from './memory.ts'
import type { Storage, StoredObject } from './storage.ts'

/** @param folder made at the first write */
export function createDiskStorage(folder: string): Storage {
  const root = resolve(folder)
  const readOrNull = async <T>(read: () => Promise<T>): Promise<T | null> => {
    try {
      return await read()
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errorCode(error) ?? '')) return null
      throw error
    }
  }
  const put: Storage['put'] = async ({ key, body }, { signal } = {}) => {
    signal?.throwIfAborted()
    const path = pathOfKey(root, key)
    await openOutputFolder(root)
    await makeFolderInside(root, dirname(path))
    await writeFileDurably(path, body)
    return { etag: null, attempts: 1 }
  }
  const read: Storage['read'] = (key) =>
    readOrNull(async () => {
      const body = Uint8Array.from(await readFile(pathOfKey(root, key)))
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
        const state = await stat(pathOfKey(root, key))
        if (!state.isFile()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' })
        return { key, sizeBytes: state.size, md5: null }
      }),
    get: async (key) => (await read(key))?.body ?? null,
    async *list(prefix) {
      const objects: StoredObject[] = []
      const walk = async (path: string): Promise<void> => {
        for (const entry of (await readOrNull(() => readdir(path, { withFileTypes: true }))) ?? []) {
          const child = join(path, entry.name)
          if (entry.isDirectory()) await walk(child)
          else if (entry.isFile() && !isTemporaryName(entry.name)) {
            const key = relative(root, child).split(sep).join('/')
            if (key.startsWith(prefix)) objects.push({ key, sizeBytes: (await stat(child)).size, md5: null })
          }
        }
      }
      await walk(root)
      yield* objects.sort((a, b) => compareKeys(a.key, b.key))
    },
    async delete(key) {
      await readOrNull(() => unlink(pathOfKey(root, key)))
    },
    async preflight() {
      const probe = join(await openOutputFolder(root), '.pregen-probe')
      await writeFileDurably(probe, new TextEncoder().encode('pregen'))
      await unlink(probe)
      return []
    },
    close: async () => undefined,
  }
}
