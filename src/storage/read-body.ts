/** Files for uploads, read in the way that is quickest where they lie, from their own place and no other. */
import { dirname } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { type FileBytes, PICTURE_BYTES, readFileInside, readFileNow } from '../artifacts/confined-files.ts'
import { type Confinement, confine } from '../artifacts/confinement.ts'

/** A file's bytes, and when they were last changed. */
export interface FileBody {
  readonly bytes: Buffer
  readonly mtimeMs: number
  /** More than one: the same file has another name elsewhere. */
  readonly names?: number | undefined
}

/** Where a file may lie, and how long it may be. */
export interface BodyBounds {
  /** The folder that it must lie in, at any depth; default: its own. */
  readonly out?: string | undefined
  readonly maxBytes?: number | undefined
}

export type ReadBody = (path: string, bounds?: BodyBounds) => Promise<FileBody>

/** A disk that lets so many files in a row wait for longer than this, and 8 ms for each MiB, is read beside other work. */
const SLOW_MS = 8
const SLOW_MS_PER_BYTE = 8 / 2 ** 20
const SLOW_READS = 3
/** Files of this size and more are read one a turn: sixteen pictures in a row would keep the first from being sent. */
const LARGE_BYTES = 1024 * 1024

/**
 * What was just written lies in memory: reading it at once takes a fifth of the processor time of four trips through
 * Node's thread pool, which cost a quarter of a whole upload. Slow reads (a network drive) send all later ones to the
 * thread pool, where they wait beside each other.
 */
export function createBodyReader(readAtOnce = readNow): ReadBody {
  let slowReads = 0
  let known: Confinement | undefined
  let turns: Promise<void> = Promise.resolve()
  return async (path, { out = dirname(path), maxBytes = PICTURE_BYTES } = {}) => {
    const inside = known?.out === out ? known : confine(out)
    known = inside
    if (maxBytes >= LARGE_BYTES) {
      turns = turns.then(() => turn())
      await turns
    }
    if (slowReads === SLOW_READS) return bodyOf(await readFileInside(inside, path, maxBytes))
    const from = performance.now()
    const body = readAtOnce(path, inside, maxBytes)
    const patienceMs = SLOW_MS + body.bytes.byteLength * SLOW_MS_PER_BYTE
    slowReads = performance.now() - from > patienceMs ? slowReads + 1 : 0
    return body
  }
}

function readNow(path: string, inside: Confinement, maxBytes: number): FileBody {
  return bodyOf(readFileNow(inside, path, maxBytes))
}

function bodyOf({ bytes, state }: FileBytes): FileBody {
  return { bytes, mtimeMs: state.mtimeMs, names: state.nlink }
}
