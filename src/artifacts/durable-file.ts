/**
 * A file that another writes piece by piece, such as an encoder: under a temporary name in its folder until it is whole,
 * then under its own.
 */
import { createHash } from 'node:crypto'
import { rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errorCode } from '../errors.ts'
import { openFile } from './confined-files.ts'
import { openFolder } from './confined-folder.ts'
import { type Confinement, confine } from './confinement.ts'
import { writeError } from './durable-write.ts'
import { temporaryName } from './temporary-name.ts'

export interface WrittenFile {
  /** Lower-case hex. */
  readonly sha256: string
  readonly md5: string
  readonly sizeBytes: number
  readonly mtimeMs: number
}

export interface DurableFile {
  /**
   * Where it is to be written. On Linux it leads through the open folder, so that nothing can be put in the folder's
   * place; programs that this process starts can open it as well.
   */
  readonly temporary: string
  /** Makes it last and gives it its name. @throws PregenError `E_DISK_FULL`, `E_WRITE_FAILED` */
  commit(): Promise<WrittenFile>
  /** Removes it. Does nothing after `commit` or a second time. */
  abandon(): Promise<void>
}

const READ_BYTES = 1024 * 1024

/**
 * @param path the final name; its folder exists
 * @throws PregenError `E_OUTPUT_SYMLINK`, `E_PATH_ESCAPE`
 */
export function beginDurableFile(path: string, options: { readonly inside?: Confinement } = {}): DurableFile {
  const folderPath = dirname(path)
  const inside = options.inside ?? confine(folderPath)
  const folder = openFolder(inside, folderPath)
  const name = temporaryName()
  let isOpen = true
  const close = () => {
    isOpen = false
    folder.close()
  }
  const remove = async (): Promise<void> => {
    try {
      await unlink(folder.at(name))
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw writeError(path, error)
    }
  }
  return {
    temporary: folder.at(name).replace('/proc/self/', `/proc/${process.pid}/`),
    async commit() {
      try {
        const written = await seal(inside, join(folderPath, name))
        await rename(folder.at(name), folder.at(basename(path)))
        await folder.sync()
        close()
        return written
      } catch (error) {
        throw writeError(path, error)
      }
    },
    async abandon() {
      if (!isOpen) return
      try {
        await remove()
      } finally {
        close()
      }
    },
  }
}

/** Syncs what was written and reads it once for its sums. */
async function seal(inside: Confinement, path: string): Promise<WrittenFile> {
  const handle = await openFile(inside, path)
  try {
    await handle.sync()
    const [sha256, md5] = [createHash('sha256'), createHash('md5')]
    const piece = Buffer.allocUnsafe(READ_BYTES)
    let at = 0
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, piece.length, at)
      if (bytesRead === 0) break
      at += bytesRead
      sha256.update(piece.subarray(0, bytesRead))
      md5.update(piece.subarray(0, bytesRead))
    }
    const { mtimeMs } = await handle.stat()
    return { sha256: sha256.digest('hex'), md5: md5.digest('hex'), sizeBytes: at, mtimeMs }
  } finally {
    await handle.close()
  }
}
