/**
 * `<out>/.pregen/lock`: one process at a time on an output folder. It names its holder, and heals after a holder
 * that is dead: on the same machine at once (its process is gone), from another one when its heartbeat stops.
 */
import { randomBytes } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { type FileHandle, link, lstat, readFile, rename, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode, PregenError } from '../errors.ts'
import { openFile, removeFileInside, SMALL_BYTES } from './confined-files.ts'
import { type OpenFolder, PRIVATE_FILE, withFolder } from './confined-folder.ts'
import { confineState } from './confinement.ts'
import { writeError } from './durable-write.ts'
import { isHolderAlive, type LockHolder, parseHolder, processIdentity, readHolder } from './lock-holder.ts'
import { checkStateFolder, makeStateFolder } from './state-folder.ts'
import { temporaryName } from './temporary-name.ts'
import { tellWeakness } from './weak-file-system.ts'
import { noWriteHook, type WriteHook } from './write-points.ts'

export type { LockHolder } from './lock-holder.ts'

export interface OutputLock {
  readonly path: string
  readonly holder: LockHolder
  /** A heartbeat now: who took the lock, or removed it, is found out before this resolves. */
  check(): Promise<void>
  /** Removes the lock, if it still is ours. */
  release(): Promise<void>
}

export interface LockOptions {
  /** Time between two heartbeats; a lock of another machine is dead after six missed ones. */
  readonly heartbeatMs?: number | undefined
  /** Called once when another process has taken the lock over (this machine slept for long, say), or the folder is gone. */
  readonly onLost?: ((why: LossOfLock) => void) | undefined
  /** Called when the state folder was removed, and the lock made anew in its place. */
  readonly onRestored?: (() => void) | undefined
  readonly onPoint?: WriteHook | undefined
}

export type LossOfLock = 'taken over' | 'removed'

const HEARTBEAT_MS = 5_000
const MISSED_HEARTBEATS = 6
/** How long a taken-over lock is left to settle before it is believed. */
const SETTLE_MS = 150

/**
 * Takes the lock, having looked through the folder that it lies in.
 * @throws PregenError `E_LOCKED`, within a second, naming the holder's PID and host; `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<OutputLock> {
  const heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS
  const inside = makeStateFolder(path)
  const { onPoint = noWriteHook } = options
  await checkStateFolder(inside, dirname(path), onPoint)
  const holder: LockHolder = {
    host: hostname(),
    pid: process.pid,
    startedAt: new Date().toISOString(),
    process: await processIdentity(process.pid),
    nonce: randomBytes(8).toString('hex'),
  }
  const own = temporaryName()
  try {
    await withFolder(inside, dirname(path), async (folder) => {
      await writeFile(folder.at(own), `${JSON.stringify(holder)}\n`, { flag: 'wx', mode: PRIVATE_FILE })
      await takeLock({ path, folder, own, holder, onPoint, patienceMs: heartbeatMs * MISSED_HEARTBEATS })
    })
  } catch (error) {
    throw writeError(path, error)
  } finally {
    await removeFileInside(inside, join(dirname(path), own))
  }
  return holdLock(path, holder, heartbeatMs, options)
}

/** The process of this machine that holds the lock; null when there is none, or when it is dead. */
export async function runningHolder(path: string): Promise<LockHolder | null> {
  const standing = await readHolder(path)
  return standing && (await isHolderAlive(standing)) === true ? standing : null
}

/**
 * Turns away at once whoever comes while a process of this machine holds the lock, before any other work is done;
 * whoever passes must still acquire it.
 * @throws PregenError `E_LOCKED`
 */
export async function refuseIfLocked(path: string): Promise<void> {
  const holder = await runningHolder(path)
  if (holder) throw lockedError(path, holder)
}

/** An attempt at the lock: the folder, open, and the file in it that says who we are. */
interface Claim {
  readonly path: string
  readonly folder: OpenFolder
  readonly own: string
  readonly holder: LockHolder
  readonly patienceMs: number
  readonly onPoint: WriteHook
}

async function takeLock(claim: Claim): Promise<void> {
  const { path, folder, own, holder, onPoint } = claim
  for (let attempt = 0; attempt < 5; attempt++) {
    // A hard link is made whole or not at all, and fails where a lock stands.
    if (await linked(folder, own, basename(path), onPoint)) {
      if (attempt === 0) return
      // Another process may have judged the dead lock at the same time and moved ours away in its place.
      await sleep(SETTLE_MS)
      if ((await readHolder(path))?.nonce === holder.nonce) return
      continue
    }
    const standing = await readHolder(path)
    if (standing === undefined) continue
    if (!(await isDead(claim, standing))) throw lockedError(path, standing)
    await moveAway(claim, standing)
  }
  throw lockedError(path, (await readHolder(path)) ?? null)
}

/** Moves a dead lock out of the way; what turns out to be another's live lock is put back. */
async function moveAway({ path, folder, onPoint }: Claim, dead: LockHolder | null): Promise<void> {
  const aside = temporaryName()
  try {
    await rename(folder.at(basename(path)), folder.at(aside))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return
    throw error
  }
  const moved = await readHolder(join(dirname(path), aside))
  if (moved && moved.nonce !== dead?.nonce) await linked(folder, aside, basename(path), onPoint)
  await removeFileInside(confineState(path), join(dirname(path), aside))
}

function holdLock(
  path: string,
  holder: LockHolder,
  heartbeatMs: number,
  { onLost, onRestored }: LockOptions,
): OutputLock {
  const isOurs = async () => (await readHolder(path))?.nonce === holder.nonce
  let beating = Promise.resolve()
  let isLost = false
  const beat = async () => {
    // Beats wait for each other: more of them may be due when one finds that it is lost.
    if (isLost) return
    let found: 'ours' | 'restored' | LossOfLock
    try {
      found = await touch(path, holder.nonce)
      if (found === 'removed') found = await restore(path, holder)
    } catch {
      // A disk that does not answer now is asked again at the next beat.
      return
    }
    if (found === 'restored') onRestored?.()
    if (found === 'ours' || found === 'restored') return
    isLost = true
    clearInterval(timer)
    onLost?.(found)
  }
  const next = () => {
    beating = beating.then(beat)
    return beating
  }
  const timer = setInterval(() => void next(), heartbeatMs)
  timer.unref()
  return {
    path,
    holder,
    check: next,
    async release() {
      clearInterval(timer)
      await beating
      if (await isOurs()) await removeFileInside(confineState(path), path)
    },
  }
}

/** Makes the lock anew where it was removed, with the folder that it lies in; not where the output folder is gone too. */
async function restore(path: string, holder: LockHolder): Promise<'ours' | 'restored' | LossOfLock> {
  if (!existsSync(dirname(dirname(path)))) return 'removed'
  const inside = makeStateFolder(path)
  const own = temporaryName()
  try {
    const isMade = await withFolder(inside, dirname(path), async (folder) => {
      await writeFile(folder.at(own), `${JSON.stringify(holder)}\n`, { flag: 'wx', mode: PRIVATE_FILE })
      return linked(folder, own, basename(path), noWriteHook)
    })
    if (isMade) return 'restored'
    return (await readHolder(path))?.nonce === holder.nonce ? 'ours' : 'taken over'
  } finally {
    await removeFileInside(inside, join(dirname(path), own))
  }
}

/**
 * One heartbeat: writes the lock's first byte anew, so that the file system sets its mtime. Nonce and byte go
 * through one handle: another's lock is never written to.
 */
async function touch(path: string, nonce: string): Promise<'ours' | LossOfLock> {
  let handle: FileHandle
  try {
    handle = await openFile(confineState(path), path, constants.O_RDWR)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'removed'
    throw error
  }
  try {
    const bytes = Buffer.alloc(SMALL_BYTES)
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0)
    if (parseHolder(bytes.toString('utf8', 0, bytesRead))?.nonce !== nonce) return 'taken over'
    await handle.write(bytes, 0, 1, 0)
    return 'ours'
  } finally {
    await handle.close()
  }
}

/**
 * Whether a lock's holder is gone for certain. A lock that cannot be read is judged by its heartbeat: one that stopped,
 * or that lies further ahead than any beat could be.
 */
async function isDead({ path, folder, own, patienceMs }: Claim, holder: LockHolder | null): Promise<boolean> {
  const isAlive = holder && (await isHolderAlive(holder))
  if (isAlive !== null) return !isAlive
  try {
    // Both times come from the file system's own clock, so that machines need not agree on theirs.
    await writeFile(folder.at(own), await readFile(folder.at(own)), { flag: 'r+' })
    const [ours, theirs] = await Promise.all([lstat(folder.at(own)), lstat(folder.at(basename(path)))])
    return Math.abs(ours.mtimeMs - theirs.mtimeMs) > patienceMs
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true
    throw error
  }
}

async function linked(folder: OpenFolder, from: string, to: string, onPoint: WriteHook): Promise<boolean> {
  try {
    await onPoint('lock-link', join(folder.path, to))
    await link(folder.at(from), folder.at(to))
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    // exFAT and some network drives know no hard links, and say so in many ways: there the lock is made in two steps, the
    // first exclusive. Where that cannot be done either, its fault is the one to tell.
    const isMade = await copied(folder.at(from), folder.at(to))
    tellWeakness('hard link', join(folder.path, to), error)
    return isMade
  }
}

async function copied(from: string, to: string): Promise<boolean> {
  try {
    await writeFile(to, await readFile(from), { flag: 'wx', mode: PRIVATE_FILE })
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
}

function lockedError(path: string, holder: LockHolder | null): PregenError {
  const who = holder
    ? `process ${holder.pid} on ${holder.host}, since ${holder.startedAt}`
    : 'a process that left no name'
  return new PregenError('E_LOCKED', `the output folder is in use by ${who}`, {
    help: [
      'Wait for it to end, stop it, or give another folder with --out.',
      `If nothing runs there any more, the lock heals by itself within ${(HEARTBEAT_MS * MISSED_HEARTBEATS) / 1000} seconds (${path}).`,
    ].join(' '),
  })
}
