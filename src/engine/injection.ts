/**
 * Named points at which tests break a run on purpose. In a normal run the table is empty and `reach` does nothing.
 */
import { basename } from 'node:path'
import { type FaultHook, noFaults as noWriteFaults } from '../artifacts/faults.ts'

/** `stall`: the thread stands still, as in a native call that takes for ever. */
export type FaultAction = 'throw' | 'kill' | 'enospc' | 'stall'

export const FAULT_ACTIONS: readonly FaultAction[] = ['throw', 'kill', 'enospc', 'stall']

/**
 * `preview-encode@2` → what happens when that point is reached (for a step: that step of any unit; for a write:
 * the file's name). `renamed#3` → what happens the third time.
 */
export type FaultTable = Readonly<Record<string, FaultAction>>

export interface Faults {
  /** @param detail narrows the point, a step number say: `name@detail`, then `name#times`, then `name` is looked up */
  readonly reach: (name: string, detail?: string | number) => void
}

export const noFaults: Faults = { reach: () => {} }

/** @throws what the table says, from the point it names; `kill` ends the process as SIGKILL does */
export function createFaults(table: FaultTable): Faults {
  if (Object.keys(table).length === 0) return noFaults
  const passes = new Map<string, number>()
  return {
    reach(name, detail) {
      const pass = (passes.get(name) ?? 0) + 1
      passes.set(name, pass)
      const action = table[`${name}@${detail}`] ?? table[`${name}#${pass}`] ?? table[name]
      if (action === 'kill') process.kill(process.pid, 'SIGKILL')
      if (action === 'enospc')
        throw Object.assign(new Error(`ENOSPC: no space left on device (injected at ${name})`), {
          code: 'ENOSPC',
        })
      if (action === 'stall') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      if (action === 'throw') throw new Error(`injected at ${name}`)
    },
  }
}

/** The points of the writing path (`KILL_POINTS`), led to the same table; a point's detail is the file's name. */
export function writeFaultsOf(faults: Faults): FaultHook {
  if (faults === noFaults) return noWriteFaults
  return (point, path) => faults.reach(point, basename(path))
}
