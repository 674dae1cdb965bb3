/**
 * `<out>/.pregen/ledger.ndjson`: what was made, of what, and where it was sent. Append-only; a later line about
 * the same thing wins; a torn last line (power cut in mid-append) is dropped; compacted when it is opened.
 */
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode, messageOf, PregenError } from '../errors.ts'
import { syncFolder, writeError, writeFileDurably } from './durable-write.ts'
import { type FaultHook, noFaults } from './faults.ts'
import {
  applyLine,
  type LedgerState,
  type LedgerUnit,
  type Line,
  liveLines,
  parseLine,
  type SentObject,
} from './ledger-lines.ts'

export type { LedgerFile, LedgerUnit, SentObject } from './ledger-lines.ts'

export interface LedgerContent {
  /** By variant key (`foigoi/<version>/cues/<cue>/<variant>`). */
  readonly units: ReadonlyMap<string, LedgerUnit>
  /** Target (`Storage.description`) → folder key → file name → object. */
  readonly sent: ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, SentObject>>>
  /** Lines that could not be read (a disk's fault); what they told of is done again. */
  readonly damagedLines: number
}

export interface Ledger extends LedgerContent {
  readonly path: string
  /** Records a finished unit; on disk for good when it resolves. */
  recordUnit(key: string, unit: LedgerUnit): Promise<void>
  /** Renews what is known of a unit's files. Not synced: what a power cut takes away is found out again. */
  renewUnit(key: string, unit: LedgerUnit): Promise<void>
  /** Forgets a unit before its files are touched, so that half-replaced files are never taken for whole. */
  forgetUnit(key: string): Promise<void>
  /** Records confirmed objects of one folder key. Not synced: what a power cut takes away is sent again. */
  recordSent(target: string, key: string, objects: Readonly<Record<string, SentObject>>): Promise<void>
  /**
   * Puts known objects in doubt before they are replaced or deleted: from here on they stand in the store with a
   * content that nobody knows (sha256 `""`). Synced: a power cut must not bring the old word back.
   */
  doubtSent(target: string, key: string, names: readonly string[]): Promise<void>
  /** Forgets objects that have been deleted. */
  forgetSent(target: string, key: string, names: readonly string[]): Promise<void>
  close(): Promise<void>
}

interface ReadState extends LedgerState {
  damagedLines: number
  lines: number
  /** Bytes up to the end of the last whole line. */
  wholeBytes: number
  totalBytes: number
}

/**
 * Reads a ledger without touching it, for `plan` and `verify`; no file reads as an empty one.
 * @throws PregenError `E_LEDGER_UNREADABLE`
 */
export async function readLedger(path: string): Promise<LedgerContent> {
  const { units, sent, damagedLines } = await readState(path)
  return { units, sent, damagedLines }
}

/**
 * Opens a ledger for a run, which must hold the lock: drops a torn last line, and rewrites the file when less
 * than half of its lines still say something.
 * @throws PregenError `E_LEDGER_UNREADABLE`, `E_DISK_FULL`, `E_WRITE_FAILED`
 */
export async function openLedger(path: string, options: { faults?: FaultHook } = {}): Promise<Ledger> {
  const { faults = noFaults } = options
  await mkdir(dirname(path), { recursive: true })
  const state = await readState(path)
  const live = liveLines(state)
  if (state.damagedLines > 0 || state.lines > 2 * live.length) {
    await faults('ledger-compacting', path)
    await writeFileDurably(path, Buffer.from(live.map((line) => `${JSON.stringify(line)}\n`).join('')), {
      faults,
    })
    state.wholeBytes = state.totalBytes = 0
  }
  const handle = await openForAppend(path, state)
  return createLedger(path, handle, state, faults)
}

async function openForAppend(path: string, state: ReadState): Promise<FileHandle> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'a')
    if (state.wholeBytes < state.totalBytes) await handle.truncate(state.wholeBytes)
    await syncFolder(dirname(path))
    return handle
  } catch (error) {
    await handle?.close()
    throw writeError(path, error)
  }
}

function createLedger(path: string, handle: FileHandle, state: ReadState, faults: FaultHook): Ledger {
  let size: number | null = null
  let tail: Promise<void> = Promise.resolve()
  let closed = false
  // Half a line may stand at the end of the file: what comes next begins a new one.
  let isTorn = false
  // Appends go one after another: two lines must never be mixed, and a half-written one must be cut off.
  const append = (line: Line, sync: boolean): Promise<void> => {
    const done = tail.then(async () => {
      if (closed) throw new Error('the ledger is closed')
      const bytes = Buffer.from(`${isTorn ? '\n' : ''}${JSON.stringify(line)}\n`)
      size ??= (await handle.stat()).size
      try {
        for (let offset = 0; offset < bytes.byteLength; ) {
          const { bytesWritten } = await handle.write(bytes, offset, bytes.byteLength - offset, null)
          if (bytesWritten === 0) throw Object.assign(new Error('no more bytes taken'), { code: 'ENOSPC' })
          offset += bytesWritten
        }
        await faults('ledger-appended', path)
        if (sync) await handle.datasync()
        await faults('ledger-synced', path)
        size += bytes.byteLength
        isTorn = false
      } catch (error) {
        isTorn ||= !(await cutBack(handle, size))
        if (isTorn) size = null
        throw writeError(path, error)
      }
      applyLine(state, line)
    })
    tail = done.catch(() => undefined)
    return done
  }
  const knownNames = (target: string, key: string, names: readonly string[]): readonly string[] => {
    const objects = state.sent.get(target)?.get(key)
    return names.filter((name) => objects?.has(name))
  }
  return {
    path,
    units: state.units,
    sent: state.sent,
    damagedLines: state.damagedLines,
    recordUnit: (key, unit) => append({ type: 'unit', key, unit }, true),
    renewUnit: (key, unit) => append({ type: 'unit', key, unit }, false),
    async forgetUnit(key) {
      if (state.units.has(key)) await append({ type: 'unit', key, unit: null }, true)
    },
    recordSent: (target, key, objects) => append({ type: 'sent', target, key, objects }, false),
    async doubtSent(target, key, names) {
      const doubted = { sha256: '', sizeBytes: 0, etag: null }
      const known = knownNames(target, key, names)
      if (known.length === 0) return
      const objects = Object.fromEntries(known.map((name) => [name, doubted]))
      await append({ type: 'sent', target, key, objects }, true)
    },
    async forgetSent(target, key, names) {
      const known = knownNames(target, key, names)
      if (known.length === 0) return
      const objects = Object.fromEntries(known.map((name) => [name, null]))
      await append({ type: 'sent', target, key, objects }, false)
    },
    async close() {
      await tail
      if (closed) return
      closed = true
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    },
  }
}

/** Whether half a line was cut off. The disk's fault itself is told by who met it first. */
async function cutBack(handle: FileHandle, size: number): Promise<boolean> {
  return handle.truncate(size).then(
    () => true,
    () => false,
  )
}

async function readState(path: string): Promise<ReadState> {
  const state: ReadState = {
    units: new Map(),
    sent: new Map(),
    damagedLines: 0,
    lines: 0,
    wholeBytes: 0,
    totalBytes: 0,
  }
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return state
    throw new PregenError('E_LEDGER_UNREADABLE', `cannot read ${path}: ${messageOf(error)}`, {
      help: 'Change its permissions, or remove it: everything is then made again.',
      cause: error,
    })
  }
  state.totalBytes = bytes.byteLength
  state.wholeBytes = bytes.lastIndexOf(0x0a) + 1
  // Line by line from bytes: a ledger may be longer than the longest string.
  for (let start = 0; start < state.wholeBytes; ) {
    const end = bytes.indexOf(0x0a, start)
    const line = parseLine(bytes.toString('utf8', start, end))
    start = end + 1
    state.lines += 1
    if (line) applyLine(state, line)
    else state.damagedLines += 1
  }
  return state
}
