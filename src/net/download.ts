/** A large file over HTTP: resumed where it was cut off, proven by its sha-256, under its final name only when whole. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { redactUrl } from './redact-url.ts'

/** `fetch`, or what stands in for it: through a proxy, with a token. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>

export interface RemoteFile {
  /** For messages. */
  readonly filename: string
  readonly url: string
  /** What its bytes must come to: their sha-256, or git's object id (sha-1) of small files. Lower-case hex. */
  readonly digest: { readonly kind: 'sha256' | 'git-blob'; readonly hex: string }
  readonly sizeBytes: number | undefined
}

export interface DownloadOptions {
  readonly fetch: Fetch
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes on disk, those of earlier tries included; total where the server says it. */
  readonly onProgress?: ((bytes: number, total: number | undefined) => void) | undefined
}

/** Tries in a row that brought no byte. */
const MAX_IDLE_TRIES = 5

/**
 * @param target where the file goes; beside it `<target>.part` waits for the next try
 * @throws PregenError `E_DOWNLOAD_FAILED`, `E_DOWNLOAD_DAMAGED`, `E_DISK_FULL`
 */
export async function downloadFile(
  file: RemoteFile,
  target: string,
  options: DownloadOptions,
): Promise<void> {
  if ((await sizeOf(target)) !== null) {
    if (await holds(target, file)) return
    await rm(target)
  }
  await mkdir(dirname(target), { recursive: true })
  const part = `${target}.part`
  let idle = 0
  for (;;) {
    const before = (await sizeOf(part)) ?? 0
    try {
      await fetchRest(file, part, before, options)
      break
    } catch (error) {
      options.signal?.throwIfAborted()
      if (error instanceof PregenError) throw error
      idle = ((await sizeOf(part)) ?? 0) > before ? 0 : idle + 1
      if (idle < MAX_IDLE_TRIES) continue
      throw failed(file, failedFetchCause(error), error)
    }
  }
  if (!(await holds(part, file))) {
    await rm(part)
    throw new PregenError(
      'E_DOWNLOAD_DAMAGED',
      `${file.filename} arrived with other bytes than its digest says (${file.digest.kind} ${file.digest.hex}).`,
      { help: 'Run the same command again; if it stays so, the mirror is broken or lies.' },
    )
  }
  await rename(part, target)
}

async function fetchRest(
  file: RemoteFile,
  part: string,
  from: number,
  { fetch, headers: given, signal, onProgress }: DownloadOptions,
): Promise<void> {
  const headers = { ...given, ...(from > 0 ? { range: `bytes=${from}-` } : {}) }
  const response = await fetch(file.url, { headers, ...(signal ? { signal } : {}) })
  // All of it was there, and only its name was missing.
  if (response.status === 416 && from > 0) return void (await response.body?.cancel())
  if (!response.ok || response.body === null) {
    await response.body?.cancel()
    throw failed(file, `${redactUrl(file.url)} answers ${response.status}`)
  }
  const start = response.status === 206 ? from : 0
  const length = Number(response.headers.get('content-length') ?? Number.NaN)
  const total = Number.isNaN(length) ? file.sizeBytes : start + length
  const handle = await open(part, start > 0 ? 'r+' : 'w')
  try {
    let position = start
    for await (const chunk of response.body) {
      await writeAll(handle, chunk, position, part)
      position += chunk.byteLength
      onProgress?.(position, total)
    }
    if (total !== undefined && position < total) throw new Error('the connection was cut')
  } finally {
    await handle.close()
  }
}

async function writeAll(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  try {
    let done = 0
    while (done < bytes.byteLength) {
      done += (await handle.write(bytes, done, bytes.byteLength - done, position + done)).bytesWritten
    }
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT', 'EFBIG'].includes(errorCode(error) ?? '')) throw writeFailed(path, error)
    throw new PregenError('E_DISK_FULL', `No space is left for ${path}.`, {
      help: 'Free some, or point XDG_CACHE_HOME at a larger disk. What has arrived is kept for the next try.',
      cause: error,
    })
  }
}

function writeFailed(path: string, cause: unknown): PregenError {
  const help = 'Check that you may write there; XDG_CACHE_HOME moves the cache.'
  return new PregenError('E_WRITE_FAILED', `cannot write ${path}: ${messageOf(cause)}`, { help, cause })
}

function failed(file: RemoteFile, why: string, cause?: unknown): PregenError {
  return new PregenError('E_DOWNLOAD_FAILED', `${file.filename} could not be fetched: ${why}.`, {
    help: 'Run the same command again: it goes on where it was cut off.',
    cause,
  })
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
}

async function holds(path: string, { digest: { kind, hex } }: RemoteFile): Promise<boolean> {
  const hash = createHash(kind === 'sha256' ? 'sha256' : 'sha1')
  // Git hashes a header with the length before the content.
  if (kind === 'git-blob') hash.update(`blob ${await sizeOf(path)}\0`)
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex') === hex
}

/** `fetch failed` says nothing; its cause does. */
export function failedFetchCause(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : messageOf(error)
}
