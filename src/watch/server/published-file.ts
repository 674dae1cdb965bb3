/**
 * A published file by its key, and nothing else of the disk: variants' files and manifests. Not the page beside them: a
 * folder from elsewhere must not bring scripts to the address whose cookie lets them start runs.
 */
import type { FileHandle } from 'node:fs/promises'
import { openFile } from '../../artifacts/confined-files.ts'
import type { Confinement } from '../../artifacts/confinement.ts'
import {
  cacheControlOf,
  contentTypeOf,
  isVariantFileName,
  MANIFEST_NAME,
} from '../../artifacts/file-names.ts'
import { parseVariantKey, pathOfKey, splitKey } from '../../artifacts/layout.ts'
import { errorCode, PregenError } from '../../errors.ts'

export interface PublishedFile {
  readonly handle: FileHandle
  readonly sizeBytes: number
  readonly etag: string
  readonly contentType: string
  readonly cacheControl: string
}

/**
 * @param key decoded: `foigoi/<version>/cues/<cue>/<variant>/3.png`
 * @returns null for what is not there, or not published
 */
export async function openPublished(inside: Confinement, key: string): Promise<PublishedFile | null> {
  if (!isPublishedKey(key)) return null
  let handle: FileHandle
  try {
    handle = await openFile(inside, pathOfKey(inside.out, key))
  } catch (error) {
    // A link, a pipe, a key that leads out: not published, whatever it is.
    if (
      error instanceof PregenError ||
      ['ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG'].includes(errorCode(error) ?? '')
    )
      return null
    throw error
  }
  const { size, mtimeMs, ino } = await handle.stat()
  return {
    handle,
    sizeBytes: size,
    etag: `"${size.toString(36)}-${Math.round(mtimeMs * 1000).toString(36)}-${ino.toString(36)}"`,
    contentType: contentTypeOf(key),
    cacheControl: cacheControlOf(key),
  }
}

/** Whether a key has the form of one that a run publishes. */
function isPublishedKey(key: string): boolean {
  const { folder, name } = splitKey(key)
  if (folder === '' || key.startsWith('.') || key.includes('/.')) return false
  if (name === MANIFEST_NAME) return folder.includes('/') && !folder.includes('/cues/')
  return isVariantFileName(name) && parseVariantKey(folder) !== null
}

export interface ByteRange {
  readonly start: number
  /** The last byte, included. */
  readonly end: number
}

/** One range of bytes; null: the whole file (none asked for, or a kind that is not served); `none`: outside of it. */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | null | 'none' {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '')
  if (match === null || (match[1] === '' && match[2] === '')) return null
  if (match[1] === '') {
    const length = Math.min(Number(match[2]), sizeBytes)
    return length === 0 ? 'none' : { start: sizeBytes - length, end: sizeBytes - 1 }
  }
  const start = Number(match[1])
  const end = match[2] === '' ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1)
  if (match[2] !== '' && Number(match[2]) < start) return null
  return start >= sizeBytes ? 'none' : { start, end }
}
