/**
 * Named points at which tests break a run on purpose. In a normal run the table is empty and `reach` is a
 * comparison with null.
 */

export type FaultAction = 'throw' | 'kill' | 'enospc'

/** `preview-encode@2` → what happens when that point is reached (for a step: that step of any unit). */
export type FaultTable = Readonly<Record<string, FaultAction>>

export interface Faults {
  /** @param detail narrows the point, a step number say: `name@detail` is looked up first, then `name` */
  readonly reach: (name: string, detail?: string | number) => void
}

export const noFaults: Faults = { reach: () => {} }

/** @throws what the table says, from the point it names; `kill` ends the process as SIGKILL does */
export function createFaults(table: FaultTable): Faults {
  if (Object.keys(table).length === 0) return noFaults
  return {
    reach(name, detail) {
      const action = table[`${name}@${detail}`] ?? table[name]
      if (action === 'kill') process.kill(process.pid, 'SIGKILL')
      if (action === 'enospc')
        throw Object.assign(new Error(`ENOSPC: no space left on device (injected at ${name})`), {
          code: 'ENOSPC',
        })
      if (action === 'throw') throw new Error(`injected at ${name}`)
    },
  }
}
