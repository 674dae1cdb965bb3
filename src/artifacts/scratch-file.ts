/** A file of the run's own that is written piece by piece and read by another of its processes. */

import { closeSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { removeFileInside } from './confined-files.ts'
import { openFolder, PRIVATE_FILE } from './confined-folder.ts'
import { confine } from './confinement.ts'

export interface ScratchFile {
  /** @returns where in the file they begin. What a failed write left is written over. */
  readonly append: (bytes: Uint8Array) => Promise<number>
  /** A piece of it, be its path gone by now. @throws Error where it ends early */
  readonly read: (offset: number, length: number) => Uint8Array
  readonly close: () => Promise<void>
}

/** @param path in the run's own folder, which exists */
export async function openScratch(path: string): Promise<ScratchFile> {
  const folder = openFolder(confine(dirname(dirname(path))), dirname(path))
  try {
    const handle = await open(folder.at(basename(path)), 'wx+', PRIVATE_FILE)
    let end = 0
    return {
      async append(bytes) {
        const start = end
        for (let at = 0; at < bytes.length; ) {
          at += (await handle.write(bytes, at, bytes.length - at, start + at)).bytesWritten
        }
        end += bytes.length
        return start
      },
      read: (offset, length) => readPiece(handle.fd, offset, length, path),
      close: () => handle.close(),
    }
  } finally {
    folder.close()
  }
}

/** Nothing there is well, too. */
export async function removeScratch(path: string): Promise<void> {
  await removeFileInside(confine(dirname(dirname(path))), path)
}

/** A piece of a scratch file that another process wrote. @throws Error where it ends early */
export function readScratch(path: string, offset: number, length: number): Uint8Array {
  const folder = openFolder(confine(dirname(dirname(path))), dirname(path))
  try {
    const file = openSync(folder.at(basename(path)), 'r')
    try {
      return readPiece(file, offset, length, path)
    } finally {
      closeSync(file)
    }
  } finally {
    folder.close()
  }
}

/** @param path for the message. @throws Error where the file ends early */
export function readPiece(
  file: number,
  offset: number,
  length: number,
  path: string,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
  for (let at = 0; at < length; ) {
    const count = readSync(file, bytes, at, length - at, offset + at)
    if (count === 0) throw new Error(`${path} ended early`)
    at += count
  }
  return bytes
}
