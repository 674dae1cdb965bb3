/**
 * `<out>/.pregen/ledger.ndjson`: what was made, of what, and where it was sent. Append-only; a later line about
 * the same thing wins; a torn last line (power cut in mid-append) is dropped; compacted when it is opened.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { errorCode } from '../errors.ts'
import { openFile } from './confined-files.ts'
import { PRIVATE_FILE, syncOpened, withFolder } from './confined-folder.ts'
import { type Confinement, isMine, OPEN_PLAIN } from './confinement.ts'
import { writeError, writeFileDurably } from './durable-write.ts'
import { applyLine, type LedgerUnit, type Line, liveLines, type SentObject } from './ledger-lines.ts'
import { type ReadState, readState } from './ledger-read.ts'
import { type Origin, openOrigin } from './origin.ts'
import { makeStateFolder } from './state-folder.ts'
import { ifSupported } from './weak-file-system.ts'
import { noWriteHook, type WriteHook } from './write-points.ts'

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
  /** Whether a unit was recorded by this user on this machine, and not by whoever else made the folder. */
  isOwn(key: string): boolean
  /** Records a finished unit; on disk for good when it resolves. */
  recordUnit(key: string, unit: LedgerUnit): Promise<void>
  /**
   * Renews what is known of a unit's files. Not synced: what a power cut takes away is found out again. A unit that was
   * another's stays another's.
   */
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
  /** Writes all that is known into a file anew: the one that was there has been removed. */
  restore(): Promise<void>
  close(): Promise<void>
}

export interface OpenLedgerOptions {
  readonly onPoint?: WriteHook | undefined
  /** Who writes; without one, what this process records is its own and nothing else is. */
  readonly origin?: Origin | undefined
}

/**
 * Reads a ledger without touching it, for `plan` and `verify`; no file reads as an empty one.
 * @throws PregenError `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`, `E_LEDGER_UNREADABLE`
 */
export async function readLedger(path: string): Promise<LedgerContent> {
  const { units, sent, damagedLines } = await readState(path)
  return { units, sent, damagedLines }
}

/**
 * Opens a ledger for a run, which must hold the lock: drops a torn last line, and writes the file anew when less than
 * half of its lines still say something, or when it has a second name outside.
 * @throws PregenError `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`, `E_LEDGER_UNREADABLE`, `E_DISK_FULL`, `E_WRITE_FAILED`
 */
export async function openLedger(path: string, options: OpenLedgerOptions = {}): Promise<Ledger> {
  const { onPoint = noWriteHook, origin = openOrigin(undefined) } = options
  const inside = makeStateFolder(path)
  const state = await readState(path)
  const live = liveLines(state)
  if (state.damagedLines > 0 || state.lines > 2 * live.length || state.isShared) {
    await onPoint('ledger-compacting', path)
    await writeFileDurably(path, bytesOf(live), { inside, mode: PRIVATE_FILE, onPoint })
    state.wholeBytes = state.totalBytes = 0
  }
  const open = () => openForAppend(inside, path, state, onPoint)
  return createLedger(path, await open(), state, { onPoint, origin, open })
}

function bytesOf(lines: readonly Line[]): Buffer {
  return Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
}

async function openForAppend(
  inside: Confinement,
  path: string,
  state: ReadState,
  onPoint: WriteHook,
): Promise<FileHandle> {
  let handle: FileHandle | undefined
  try {
    handle = await openOrMake(inside, path)
    const found = await handle.stat()
    if (found.nlink > 1) throw new Error('it has a second name')
    const own = handle
    if ((found.mode & 0o077) !== 0 && isMine(found))
      await ifSupported('permissions', path, () => own.chmod(PRIVATE_FILE))
    if (state.wholeBytes < state.totalBytes) await handle.truncate(state.wholeBytes)
    await withFolder(inside, dirname(path), (folder) => syncOpened(folder, onPoint))
    return handle
  } catch (error) {
    await handle?.close()
    throw writeError(path, error)
  }
}

/** Opening what is there makes nothing, and making takes nothing that is there: neither goes through a link. */
async function openOrMake(inside: Confinement, path: string): Promise<FileHandle> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL } = constants
  try {
    return await openFile(inside, path, O_WRONLY | O_APPEND)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_EXCL | OPEN_PLAIN
    return withFolder(inside, dirname(path), (folder) => open(folder.at(basename(path)), flags, PRIVATE_FILE))
  }
}

interface LedgerParts {
  readonly onPoint: WriteHook
  readonly origin: Origin
  readonly open: () => Promise<FileHandle>
}

function createLedger(
  path: string,
  opened: FileHandle,
  state: ReadState,
  { onPoint, origin, open }: LedgerParts,
): Ledger {
  let handle = opened
  const textOf = (key: string, unit: LedgerUnit) => JSON.stringify([key, unit])
  const isOwn = (key: string): boolean => {
    const unit = state.units.get(key)
    return unit !== undefined && origin.isOwn(textOf(key, unit), state.marks.get(key))
  }
  const marked = (key: string, unit: LedgerUnit): Line => {
    return { type: 'unit', key, unit, mark: origin.mark(textOf(key, unit)) }
  }
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
        await onPoint('ledger-appended', path)
        if (sync) await ifSupported('sync', path, () => handle.datasync())
        await onPoint('ledger-synced', path)
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
    isOwn,
    recordUnit: (key, unit) => append(marked(key, unit), true),
    renewUnit: (key, unit) => append(isOwn(key) ? marked(key, unit) : { type: 'unit', key, unit }, false),
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
    restore() {
      const done = tail.then(async () => {
        if (closed) return
        const inside = makeStateFolder(path)
        await writeFileDurably(path, bytesOf(liveLines(state)), { inside, mode: PRIVATE_FILE, onPoint })
        state.wholeBytes = state.totalBytes = 0
        const removed = handle
        handle = await open()
        size = null
        isTorn = false
        await removed.close()
      })
      tail = done.catch(() => undefined)
      return done
    },
    async close() {
      await tail
      if (closed) return
      closed = true
      try {
        await ifSupported('sync', path, () => handle.sync())
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
