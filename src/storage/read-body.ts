/** Files for uploads, read in the way that is quickest where they lie. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'

/** A file's bytes, and when they were last changed. */
export interface FileBody {
  readonly bytes: Buffer
  readonly mtimeMs: number
}

/** A disk that lets so many files in a row wait for longer is read beside other work. */
const SLOW_MS = 8
const SLOW_READS = 3

/**
 * What was just written lies in memory: reading it at once takes a fifth of the processor time of four trips through
 * Node's thread pool, which cost a quarter of a whole upload. Slow reads (a network drive) send all later ones to the
 * thread pool, where they wait beside each other.
 */
export function createBodyReader(
  readAtOnce: (path: string) => FileBody = readNow,
): (path: string) => Promise<FileBody> {
  let slowReads = 0
  return async (path) => {
    if (slowReads === SLOW_READS) return readAside(path)
    const from = performance.now()
    const body = readAtOnce(path)
    slowReads = performance.now() - from > SLOW_MS ? slowReads + 1 : 0
    return body
  }
}

function readNow(path: string): FileBody {
  const file = openSync(path, 'r')
  try {
    const { size, mtimeMs } = fstatSync(file)
    const bytes = Buffer.allocUnsafeSlow(size)
    let at = 0
    while (at < size) {
      const read = readSync(file, bytes, at, size - at, at)
      if (read === 0) break
      at += read
    }
    return { bytes: bytes.subarray(0, at), mtimeMs }
  } finally {
    closeSync(file)
  }
}

async function readAside(path: string): Promise<FileBody> {
  const file = await open(path, 'r')
  try {
    const { mtimeMs } = await file.stat()
    return { bytes: await file.readFile(), mtimeMs }
  } finally {
    await file.close()
  }
}
