/** SHA-256 of files; big ones are hashed once and remembered by size and times of change. */
import { createHash } from 'node:crypto'
import { closeSync, createReadStream, readSync, realpathSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { PregenError } from '../errors.ts'
import { openInside } from '../model-files/open.ts'
import { z } from '../zod.ts'

/** Smaller files are hashed every time: it costs less than a look-up is worth. */
const REMEMBERED_BYTES = 2 ** 20
/** Reading it takes a second or so: somebody may wonder. */
const TOLD_BYTES = 2 ** 28
const CACHE_FILE = 'model-hashes.json'

interface Remembered {
  readonly size: number
  readonly mtimeMs: number
  /** Of the inode: it moves even where a copy keeps the time of change. */
  readonly ctimeMs: number
  readonly sha256: string
}

export interface FileHasher {
  /**
   * Lower-case hexadecimal.
   * @param root the folder that the file may not lead out of; default: the one that it lies in
   * @throws PregenError E_MODEL_FILE_MISSING, and what `openInside` throws
   */
  hash(path: string, root?: string): Promise<string>
  /** Writes what was learnt, for the next run; does nothing without a cache folder. Never rejects. */
  save(): Promise<void>
}

export interface HashOptions {
  /** Where hashes of big files are kept between runs; undefined: nothing is remembered. */
  readonly cacheDir?: string | undefined
  /** Told while a big file is read: bytes so far. */
  readonly onHash?: ((path: string, bytes: number, total: number) => void) | undefined
  /** Big files are not read: the hub's cache names their hash, and others count by their size and their ends. */
  readonly trustSize?: boolean | undefined
}

export async function createFileHasher({ cacheDir, onHash, trustSize }: HashOptions): Promise<FileHasher> {
  const cachePath = cacheDir === undefined ? null : join(cacheDir, CACHE_FILE)
  const known = cachePath === null ? new Map<string, Remembered>() : await readCache(cachePath)
  let changed = false
  return {
    async hash(path, root = dirname(path)) {
      const file = openInside(path, root)
      if (file === null) {
        throw new PregenError('E_MODEL_FILE_MISSING', 'This file of the model is missing.', {
          location: { file: path },
        })
      }
      const { descriptor, stats } = file
      const { size, mtimeMs, ctimeMs } = stats
      const entry = known.get(path)
      const isCurrent = entry?.size === size && entry.mtimeMs === mtimeMs && entry.ctimeMs === ctimeMs
      if (entry !== undefined && isCurrent) {
        closeSync(descriptor)
        return entry.sha256
      }
      if (trustSize === true && size >= REMEMBERED_BYTES) {
        try {
          return nameInHubCache(path) ?? hashOfEnds(descriptor, size)
        } finally {
          closeSync(descriptor)
        }
      }
      if (size < REMEMBERED_BYTES) return hashOfSmall(descriptor, size)
      const digest = createHash('sha256')
      // No more than it had when it was opened, whatever is appended meanwhile.
      const bytes = { fd: descriptor, start: 0, end: Math.max(size - 1, 0), highWaterMark: 2 ** 20 }
      const listener = size >= TOLD_BYTES ? onHash : undefined
      let read = 0
      const count = async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          read += chunk.length
          listener?.(path, read, size)
          yield chunk
        }
      }
      await pipeline(createReadStream(path, bytes), count, digest)
      const sha256 = digest.digest('hex')
      known.set(path, { size, mtimeMs, ctimeMs, sha256 })
      changed = true
      return sha256
    },
    async save() {
      if (cachePath === null || cacheDir === undefined || !changed) return
      changed = false
      await writeCache(cachePath, JSON.stringify(Object.fromEntries(known)))
    },
  }
}

/** Read at once: a stream costs more than the reading. Closes the file. */
function hashOfSmall(descriptor: number, size: number): string {
  try {
    const bytes = Buffer.alloc(size)
    let end = 0
    for (let read = -1; read !== 0 && end < size; end += read) {
      read = readSync(descriptor, bytes, end, size - end, end)
    }
    return createHash('sha256').update(bytes.subarray(0, end)).digest('hex')
  } finally {
    closeSync(descriptor)
  }
}

/** The hub's cache keeps large files under their sha-256; null for any other file. */
function nameInHubCache(path: string): string | null {
  const place = realpathSync(path)
  const name = basename(place)
  return basename(dirname(place)) === 'blobs' && /^[0-9a-f]{64}$/.test(name) ? name : null
}

/** No hash of the file: two files of one size that differ in their middle have the same. */
function hashOfEnds(descriptor: number, size: number): string {
  const end = Buffer.alloc(REMEMBERED_BYTES)
  const digest = createHash('sha256').update(`size ${size}\n`)
  for (const position of [0, size - end.length]) {
    const bytes = readSync(descriptor, end, 0, end.length, position)
    digest.update(end.subarray(0, bytes))
  }
  return digest.digest('hex')
}

/** A cache that cannot be written, in a container without a home say, costs the next run some time and nothing else. */
async function writeCache(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(temporary, text)
    await rename(temporary, path)
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined)
  }
}

/** A cache that is missing or damaged is an empty one: it holds nothing that cannot be computed again. */
async function readCache(path: string): Promise<Map<string, Remembered>> {
  const text = await readFile(path, 'utf8').catch(() => '{}')
  const entries = new Map<string, Remembered>()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return entries
  }
  const written = z.record(z.string(), z.unknown()).safeParse(value)
  for (const [file, entry] of Object.entries(written.data ?? {})) {
    const remembered = rememberedSchema.safeParse(entry)
    if (remembered.success) entries.set(file, remembered.data)
  }
  return entries
}

const rememberedSchema: z.ZodType<Remembered> = z.object({
  size: z.number(),
  mtimeMs: z.number(),
  ctimeMs: z.number(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})
