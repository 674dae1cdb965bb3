/** Who holds a lock: what the file says, and whether that process still runs. */
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { errorCode } from '../errors.ts'

export interface LockHolder {
  readonly host: string
  readonly pid: number
  /** ISO 8601 in UTC. */
  readonly startedAt: string
  /** What tells this process from a later one with the same PID: boot, PID namespace and start in clock ticks. */
  readonly process: string | null
  /** Made anew for every lock. */
  readonly nonce: string
}

/**
 * Whether a lock's holder runs, as far as this machine can tell.
 * @returns null where it cannot: another machine, another boot, another PID namespace
 */
export async function isHolderAlive(holder: LockHolder): Promise<boolean | null> {
  if (holder.host !== hostname() || !(await sharesProcesses(holder))) return null
  if (!isRunning(holder.pid)) return false
  const identity = await processIdentity(holder.pid)
  return holder.process === null || identity === null || identity === holder.process
}

/** Whether the holder's PID means the same process to us: same boot, same PID namespace. */
async function sharesProcesses(holder: LockHolder): Promise<boolean> {
  const mine = await processIdentity(process.pid)
  if (mine === null || holder.process === null) return mine === holder.process
  return scopeOf(mine) === scopeOf(holder.process)
}

function scopeOf(identity: string): string {
  return identity.slice(0, identity.lastIndexOf(':'))
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) !== 'ESRCH'
  }
}

/** `<boot id>:<pid namespace>:<start in ticks>` where /proc tells, else null. */
export async function processIdentity(pid: number): Promise<string | null> {
  try {
    const [line, boot, namespace] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readlink('/proc/self/ns/pid'),
    ])
    // Field 22; the second field, the command, may hold spaces and brackets.
    const start = line.slice(line.lastIndexOf(')') + 2).split(' ')[19]
    return start === undefined ? null : `${boot.trim()}:${namespace}:${start}`
  } catch {
    return null
  }
}

/** undefined: there is no lock; null: it cannot be understood. */
export async function readHolder(path: string): Promise<LockHolder | null | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  return parseHolder(text)
}

/** null: it cannot be understood. */
export function parseHolder(text: string): LockHolder | null {
  try {
    const value: unknown = JSON.parse(text)
    return isHolder(value) ? value : null
  } catch {
    return null
  }
}

function isHolder(value: unknown): value is LockHolder {
  if (typeof value !== 'object' || value === null) return false
  return (
    'host' in value &&
    typeof value.host === 'string' &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'startedAt' in value &&
    typeof value.startedAt === 'string' &&
    'process' in value &&
    (value.process === null || typeof value.process === 'string') &&
    'nonce' in value &&
    typeof value.nonce === 'string'
  )
}
