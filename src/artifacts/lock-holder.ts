/** Who holds a lock: what the file says, and whether that process still runs. */
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { errorCode, PregenError } from '../errors.ts'
import { isRunning } from '../running-process.ts'
import { z } from '../zod.ts'
import { readFileInside, SMALL_BYTES } from './confined-files.ts'
import { confineState } from './confinement.ts'

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
  if (!isRunning(holder.pid) || (await isZombie(holder.pid))) return false
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

/** Whether it has ended, and its parent has not asked how: in a container without an init, nobody ever may. */
async function isZombie(pid: number): Promise<boolean> {
  const state = await statFields(pid).then(
    ([first]) => first,
    () => null,
  )
  return state === 'Z' || state === 'X'
}

/** Fields of `/proc/<pid>/stat` from the third on, the state; the second, the command, may hold spaces and brackets. */
async function statFields(pid: number): Promise<readonly string[]> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8')
  return line.slice(line.lastIndexOf(')') + 2).split(' ')
}

/** `<boot id>:<pid namespace>:<start in ticks>` where /proc tells, else null. */
export async function processIdentity(pid: number): Promise<string | null> {
  try {
    const [fields, boot, namespace] = await Promise.all([
      statFields(pid),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readlink('/proc/self/ns/pid'),
    ])
    // Field 22.
    const start = fields[19]
    return start === undefined ? null : `${boot.trim()}:${namespace}:${start}`
  } catch {
    return null
  }
}

/**
 * undefined: there is no lock; null: it cannot be understood.
 * @throws PregenError `E_OUTPUT_SYMLINK`, `E_OUTPUT_KIND`
 */
export async function readHolder(path: string): Promise<LockHolder | null | undefined> {
  try {
    const { bytes } = await readFileInside(confineState(path), path, SMALL_BYTES)
    return parseHolder(bytes.toString('utf8'))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    if (error instanceof PregenError && error.code === 'E_OUTPUT_TOO_LARGE') return null
    throw error
  }
}

/** Nothing in a lock is long. */
const name = z.string().max(300)

const holderSchema: z.ZodType<LockHolder> = z.object({
  host: name,
  pid: z
    .int()
    .positive()
    .lt(2 ** 31),
  startedAt: name,
  process: name.nullable(),
  nonce: name,
})

/** null: it cannot be understood. */
export function parseHolder(text: string): LockHolder | null {
  try {
    return holderSchema.safeParse(JSON.parse(text)).data ?? null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
