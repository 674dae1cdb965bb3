/** Reads files that others may have made: only regular ones, never more than a limit, whatever `stat` says of them. */

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

export type UnreadReason = 'folder' | 'device' | 'too-large'

/** A file that was not read, or not to its end. */
export class UnreadFile extends Error {
  override readonly name = 'UnreadFile'
  /** `device`: a named pipe, a socket, a device; nothing of it was read. */
  readonly reason: UnreadReason

  constructor(reason: UnreadReason, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface ReadLimits {
  /** Most bytes of the file. */
  readonly maxBytes: number
  /** Refuses a symbolic link as the path's last part, with `ELOOP`. */
  readonly noFollow?: boolean | undefined
}

const CHUNK_BYTES = 256 * 1024
// Files of /proc give whole records only: reads of odd sizes fail there.
const BLOCK_BYTES = 4096

// O_NONBLOCK: to open a named pipe would wait for its writer, and to read some files of /proc for their next message.
const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants

/**
 * The bytes of a regular file, at most `maxBytes`. Files that grow, sparse ones and those of /proc, which `stat` calls
 * empty, are read to the block in which the limit lies and no further.
 *
 * @throws UnreadFile; what `open` and `read` throw (`ENOENT`, `EACCES`, …)
 */
export async function readRegularFile(path: string, { maxBytes, noFollow }: ReadLimits): Promise<Buffer> {
  const file = await open(path, O_RDONLY | O_NONBLOCK | (noFollow ? O_NOFOLLOW : 0))
  try {
    // Asked of the handle: what the path names may be another file by now.
    const facts = await file.stat()
    if (!facts.isFile()) {
      const reason = facts.isDirectory() ? 'folder' : 'device'
      throw new UnreadFile(reason, `${path} is no regular file`)
    }
    const tooLarge = () => new UnreadFile('too-large', `${path} has more than ${maxBytes} bytes`)
    if (facts.size > maxBytes) throw tooLarge()
    const parts: Buffer[] = []
    let total = 0
    // More than is said, so that the usual file ends with its second read.
    let next = inBlocks(facts.size + 1)
    for (;;) {
      const part = Buffer.allocUnsafeSlow(next)
      const { bytesRead } = await file.read(part, 0, next, null)
      if (bytesRead === 0) break
      total += bytesRead
      if (total > maxBytes) throw tooLarge()
      parts.push(part.subarray(0, bytesRead))
      next = inBlocks(Math.min(CHUNK_BYTES, maxBytes + 1 - total))
    }
    const [only] = parts
    return parts.length === 1 && only ? only : Buffer.concat(parts, total)
  } finally {
    await file.close()
  }
}

function inBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}
