/** A file system with so many bytes left, as `writeFileDurably` sees one: full at an exact offset. */
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { syncFolder, type WritableFileSystem } from '../../src/artifacts/durable-write.ts'

export interface QuotaOptions {
  /** Bytes that may be written in all. */
  bytes: number
  /** Bytes that one write takes at most. */
  readonly atOnce?: number
  /** Takes no bytes without an error, as some network drives do. */
  readonly silent?: boolean
}

export function createQuotaFileSystem(quota: QuotaOptions): WritableFileSystem {
  const limit = (handle: FileHandle): Pick<FileHandle, 'write' | 'sync' | 'close'> => {
    const write = async (bytes: Uint8Array, offset = 0, length = bytes.byteLength - offset) => {
      const taken = Math.min(length, quota.bytes, quota.atOnce ?? Number.POSITIVE_INFINITY)
      if (taken === 0 && length > 0 && !quota.silent) {
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
      }
      quota.bytes -= taken
      return handle.write(bytes, offset, taken, null)
    }
    return Object.assign(Object.create(handle), {
      write,
      sync: () => handle.sync(),
      close: () => handle.close(),
    })
  }
  return {
    open: async (path, flags) => limit(await open(path, flags)),
    rename,
    unlink,
    syncFolder,
  }
}
