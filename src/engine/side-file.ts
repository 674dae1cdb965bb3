/**
 * Large arrays between this process and a worker: written into a file that both hold open, where the channel would copy them piece by
 * piece, with both sides' event loops in turn. The file has no name and lies in memory where the system has a place for that.
 */
import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readPiece } from '../artifacts/scratch-file.ts'

/** Smaller ones are as quick in the message itself. */
const MIN_BYTES = 64 * 1024

/** For arrays that the other side has not taken yet. Only what is written takes up memory. */
const CAPACITY = 32 * 1024 * 1024

/** Messages that wait at most: fewer than a byte counts. */
const MAX_WAITING = 128

const PAGE = 4096

type LargeArray = Float32Array | Uint8Array

/** An array that lies in the file, and where it belongs in the message. */
interface Place {
  readonly path: readonly (string | number)[]
  readonly type: 'Float32Array' | 'Uint8Array'
  readonly offset: number
  readonly byteLength: number
}

interface Found {
  readonly path: Place['path']
  readonly array: LargeArray
}

interface Packed {
  readonly beside: readonly Place[]
  readonly message: unknown
}

export interface SideFile {
  /** @returns what is to be sent: the message itself where it has no large arrays, or there is no room for them */
  readonly put: (message: unknown) => unknown
  /** What `put` made on the other side, in the order in which it was sent. @throws Error where the file cannot be read */
  readonly take: (sent: unknown) => unknown
  /** From now on everything goes through the channel. */
  readonly close: () => void
}

export const NO_SIDE_FILE: SideFile = {
  put: (message) => message,
  take: (sent) => sent,
  close: () => undefined,
}

/** @returns a new file's descriptor, or null where there is no place for one: all goes through the channel then */
export function openSideFile(folders: readonly string[] = ['/dev/shm', tmpdir()]): number | null {
  // A file that is open cannot lose its name there.
  if (process.platform === 'win32') return null
  for (const folder of folders) {
    const path = join(folder, `pregen-${randomUUID()}`)
    let file: number | null = null
    try {
      file = openSync(path, 'wx+', 0o600)
      unlinkSync(path)
      // The counts' place is there from now on, however full the disk gets.
      writeSync(file, new Uint8Array(2), 0, 2, 0)
      return file
    } catch {
      // No such folder, a full one, or one that is not ours to write in: the next will do, and so does the channel.
      if (file !== null) closeSync(file)
    }
  }
  return null
}

/** @param side which end this is: each writes into a half of its own */
export function createSideFile(file: number, side: 'tool' | 'worker'): SideFile {
  const [mine, theirs] = side === 'tool' ? [0, 1] : [1, 0]
  const base = PAGE + mine * CAPACITY
  const ring = createRing(CAPACITY)
  let isOpen = true
  let known = 0
  // One byte: it is read whole or not at all.
  const takenThere = new Uint8Array(1)
  const takenHere = new Uint8Array(1)

  return {
    put(message) {
      // Its number may be another file's by now.
      if (!isOpen || !hasLarge(message)) return message
      const arrays: Found[] = []
      const rest = withoutLarge(message, [], arrays)
      try {
        readSync(file, takenThere, 0, 1, mine)
        ring.drop((takenThere[0]! - known) & 0xff)
        known = takenThere[0]!
        const start = ring.roomFor(arrays.reduce((sum, { array }) => sum + inPages(array), 0))
        if (start === null) return message
        let end = start
        const beside = arrays.map(({ path, array }): Place => {
          const offset = base + end
          writeWhole(file, array, offset)
          end += inPages(array)
          return { path, type: typeOf(array), offset, byteLength: array.byteLength }
        })
        ring.keep(start, end)
        return { beside, message: rest } satisfies Packed
      } catch {
        // A full disk, a limit on sizes: it goes through the channel, as it would without a file.
        return message
      }
    },
    take(sent) {
      if (!isPacked(sent)) return sent
      if (!isOpen) throw new Error('the file beside the channel is closed')
      for (const { path, type, offset, byteLength } of sent.beside) {
        const bytes = readPiece(file, offset, byteLength, 'the file beside the channel')
        setAt(sent.message, path, type === 'Uint8Array' ? bytes : new Float32Array(bytes.buffer))
      }
      takenHere[0]!++
      try {
        writeSync(file, takenHere, 0, 1, theirs)
      } catch {
        // What is not known to be taken is kept; the next count says it too.
      }
      return sent.message
    },
    close() {
      if (isOpen) closeSync(file)
      isOpen = false
    },
  }
}

interface Ring {
  /** So many of the oldest are taken. */
  readonly drop: (count: number) => void
  /** Where so many bytes in a row are free, or null. */
  readonly roomFor: (bytes: number) => number | null
  readonly keep: (start: number, end: number) => void
}

/** Stretches of one memory in the order in which they are written and taken. */
export function createRing(capacity: number): Ring {
  const waiting: { readonly start: number; readonly end: number }[] = []
  return {
    drop: (count) => void waiting.splice(0, count),
    roomFor(bytes) {
      const [oldest, newest] = [waiting[0], waiting.at(-1)]
      // From the beginning again whenever it is empty: it stays as small as what waits at one time.
      if (!oldest || !newest) return bytes <= capacity ? 0 : null
      if (waiting.length >= MAX_WAITING) return null
      const { end } = newest
      if (end <= oldest.start) return end + bytes <= oldest.start ? end : null
      if (end + bytes <= capacity) return end
      return bytes <= oldest.start ? 0 : null
    },
    keep: (start, end) => void waiting.push({ start, end }),
  }
}

function typeOf(array: LargeArray): Place['type'] {
  return array instanceof Float32Array ? 'Float32Array' : 'Uint8Array'
}

function inPages({ byteLength }: LargeArray): number {
  return Math.ceil(byteLength / PAGE) * PAGE
}

function isLarge(value: ArrayBufferView): value is LargeArray {
  return (value instanceof Float32Array || value instanceof Uint8Array) && value.byteLength >= MIN_BYTES
}

/** Asked of every message between two steps: it makes nothing. */
function hasLarge(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (ArrayBuffer.isView(value)) return isLarge(value)
  return Object.values(value).some(hasLarge)
}

/** The message with null in the place of each large array; what has none is not copied. */
function withoutLarge(value: unknown, path: Place['path'], found: Found[]): unknown {
  if (typeof value !== 'object' || value === null || !hasLarge(value)) return value
  if (ArrayBuffer.isView(value)) {
    if (isLarge(value)) found.push({ path, array: value })
    return null
  }
  const inside = (key: string | number, item: unknown) => withoutLarge(item, [...path, key], found)
  return Array.isArray(value)
    ? value.map((item, index) => inside(index, item))
    : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inside(key, item)]))
}

function isPacked(sent: unknown): sent is Packed {
  return typeof sent === 'object' && sent !== null && 'beside' in sent
}

function setAt(message: unknown, path: Place['path'], array: LargeArray): void {
  let holder = message as Record<string | number, unknown>
  for (const key of path.slice(0, -1)) holder = holder[key] as Record<string | number, unknown>
  holder[path.at(-1)!] = array
}

function writeWhole(file: number, array: LargeArray, offset: number): void {
  for (let at = 0; at < array.byteLength; ) {
    at += writeSync(file, array, at, array.byteLength - at, offset + at)
  }
}
