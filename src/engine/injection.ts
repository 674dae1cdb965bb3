/**
 * Named points at which tests break a run on purpose. In a normal run the table is empty and `reach` does nothing.
 */
import { basename } from 'node:path'
import { noWriteHook, type WriteHook } from '../artifacts/write-points.ts'

/**
 * `kill`: the tool ends as by SIGKILL. `crash`: the process that reaches the point does, a worker say;
 * the one that takes its place is spared. `stall`: it stands
 * still, as in a native call that takes for ever.
 */
export type InjectedAction = 'throw' | 'kill' | 'crash' | 'stall' | keyof typeof SYSTEM_FAULTS

/** What a file system may answer. */
const SYSTEM_FAULTS = {
  enospc: 'ENOSPC: no space left on device',
  einval: 'EINVAL: invalid argument',
  enotsup: 'ENOTSUP: operation not supported',
  eperm: 'EPERM: operation not permitted',
  eio: 'EIO: i/o error',
} as const

export const INJECTED_ACTIONS: readonly InjectedAction[] = [
  ...(['throw', 'kill', 'crash', 'enospc', 'stall', 'einval', 'enotsup', 'eperm', 'eio'] as const),
]

/**
 * `preview-encode@2` → what happens when that point is reached (for a step: that step of any unit; for a write:
 * the file's name). `renamed#3` → what happens the third time.
 */
export type InjectionTable = Readonly<Record<string, InjectedAction>>

export interface Injection {
  /** @param detail narrows the point, a step number say: `name@detail`, then `name#times`, then `name` is looked up */
  readonly reach: (name: string, detail?: string | number) => void
}

const noInjection: Injection = { reach: () => {} }

/**
 * @param toolPid the process that `kill` ends: the tool's own, where a worker reaches the point
 * @throws what the table says, from the point it names
 */
export function createInjection(table: InjectionTable, toolPid = process.pid): Injection {
  if (Object.keys(table).length === 0) return noInjection
  const passes = new Map<string, number>()
  return {
    reach(name, detail) {
      const pass = (passes.get(name) ?? 0) + 1
      passes.set(name, pass)
      const action = table[`${name}@${detail}`] ?? table[`${name}#${pass}`] ?? table[name]
      if (action === 'kill') process.kill(toolPid, 'SIGKILL')
      if (action === 'kill' || action === 'crash') process.kill(process.pid, 'SIGKILL')
      if (action === 'stall') standStill()
      if (action === 'throw') throw new Error(`injected at ${name}`)
      if (action === undefined || action === 'kill' || action === 'crash' || action === 'stall') return
      const what = SYSTEM_FAULTS[action]
      throw Object.assign(new Error(`${what} (injected at ${name})`), { code: what.split(':', 1)[0] })
    },
  }
}

/** For ever; a worker whose tool is gone is left by nobody's test. */
function standStill(): void {
  const parent = process.ppid
  const never = new Int32Array(new SharedArrayBuffer(4))
  while (process.ppid === parent) Atomics.wait(never, 0, 0, 200)
  process.kill(process.pid, 'SIGKILL')
}

/** The points of the writing path (`KILL_POINTS`), led to the same table; a point's detail is the file's name. */
export function writeHookOf(injection: Injection): WriteHook {
  if (injection === noInjection) return noWriteHook
  return (point, path) => injection.reach(point, basename(path))
}
