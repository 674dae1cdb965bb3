/** Reads a run's log: from a place on, whole lines only, so that a line in the making waits for its end. */
import { join } from 'node:path'
import { openFile } from '../../artifacts/confined-files.ts'
import type { Confinement } from '../../artifacts/confinement.ts'
import { errorCode } from '../../errors.ts'
import { runFolder } from './run-folder.ts'

export const EVENTS_NAME = 'events.ndjson'

export interface LogPart {
  readonly lines: readonly string[]
  /** Where the next part begins, in bytes. */
  readonly next: number
  /** When the log last moved, ms since 1970; 0 without one. */
  readonly mtimeMs: number
  /** Whether more stands there already. */
  readonly hasMore: boolean
}

const PART_BYTES = 4 * 1024 * 1024

/** @param from in bytes; the end of an earlier part */
export async function readLogPart(inside: Confinement, id: string, from: number): Promise<LogPart> {
  const nothing = { lines: [], next: from, mtimeMs: 0, hasMore: false }
  let handle: Awaited<ReturnType<typeof openFile>>
  try {
    handle = await openFile(inside, join(runFolder(inside.out, id), EVENTS_NAME))
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return nothing
    throw error
  }
  try {
    const { size, mtimeMs } = await handle.stat()
    const length = Math.min(size - from, PART_BYTES)
    if (length <= 0) return { ...nothing, mtimeMs }
    const bytes = Buffer.allocUnsafe(length)
    const { bytesRead } = await handle.read(bytes, 0, length, from)
    const end = bytes.subarray(0, bytesRead).lastIndexOf(0x0a) + 1
    // A line longer than a part is none of ours: it is passed over.
    if (end === 0 && bytesRead === PART_BYTES)
      return { lines: [], next: from + bytesRead, mtimeMs, hasMore: true }
    const lines = bytes.toString('utf8', 0, end).split('\n').slice(0, -1)
    return {
      lines,
      next: from + end,
      mtimeMs,
      hasMore: size - from > end && end > 0 && bytesRead === PART_BYTES,
    }
  } finally {
    await handle.close()
  }
}
