/**
 * What some file systems cannot do (CIFS, exFAT, some FUSE drives): sync a folder, make a hard link, take permissions. The
 * weaker way is taken then, and whoever listens is told.
 */
import { channel } from 'node:diagnostics_channel'
import { errorCode } from '../errors.ts'

export type Weakness = 'sync' | 'hard link' | 'permissions'

/** What is told: `path` is where it was met, `code` what the system said. */
export interface WeaknessFound {
  readonly weakness: Weakness
  readonly path: string
  readonly code: string
}

const found = channel('pregen:weak-file-system')

export function tellWeakness(weakness: Weakness, path: string, error: unknown): void {
  found.publish({ weakness, path, code: errorCode(error) ?? 'unknown' } satisfies WeaknessFound)
}

/** @returns the function that ends it */
export function onWeakness(listener: (weakness: WeaknessFound) => void): () => void {
  // Only `tellWeakness` publishes here.
  const onMessage = (message: unknown) => listener(message as WeaknessFound)
  found.subscribe(onMessage)
  return () => void found.unsubscribe(onMessage)
}

/** What says "this cannot be done here", and not "this failed": a disk's fault (EIO, ENOSPC) is none of these. */
const UNSUPPORTED = new Set([
  ...['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOTTY', 'EPERM', 'EACCES', 'EBADF', 'EISDIR'],
])

/** Does what not every file system can. @throws what is a fault of the disk */
export async function ifSupported(
  weakness: Exclude<Weakness, 'hard link'>,
  path: string,
  work: () => void | Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!UNSUPPORTED.has(errorCode(error) ?? '')) throw error
    tellWeakness(weakness, path, error)
  }
}
