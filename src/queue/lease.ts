/**
 * Leases on jobs in hand. They are renewed from this process, in which nothing blocks: inference has a process of its own.
 * A job whose lease ran out belongs to whoever takes it next.
 */
import type { Job, Worker } from 'bullmq'

/** A machine that says nothing for so long has lost its jobs. */
export const LEASE_MS = 120_000

/** A job that was taken, with the word that proves it. */
export interface Lease {
  readonly job: Job
  readonly token: string
}

/** How often jobs without a lease are looked for, and how often a job may be one before it is given up. */
export function stalledAfter(leaseMs: number) {
  return { stalledInterval: Math.min(30_000, leaseMs / 4), maxStalledCount: 3 }
}

export interface Leases {
  readonly add: (lease: Lease) => void
  readonly drop: (lease: Lease) => void
  readonly end: () => void
}

/** Whether a lease holds now; it is renewed by the asking. */
export async function renewLease(worker: Worker, { job, token }: Lease, leaseMs: number): Promise<boolean> {
  const lost = await worker.extendJobLocks([job.id ?? ''], [token], leaseMs)
  return lost.length === 0
}

/** @param onLost told once of a lease that is gone */
export function keepLeases(worker: Worker, leaseMs: number, onLost: (lease: Lease) => void): Leases {
  const leases = new Map<string, Lease>()
  const renew = async (): Promise<void> => {
    const own = [...leases]
    if (own.length === 0) return
    const ids = own.map(([id]) => id)
    const tokens = own.map(([, { token }]) => token)
    const lost = new Set(await worker.extendJobLocks(ids, tokens, leaseMs))
    for (const [id, lease] of own) {
      if (!lost.has(id) || leases.get(id)?.token !== lease.token) continue
      leases.delete(id)
      onLost(lease)
    }
  }
  let isRenewing = false
  const timer = setInterval(() => {
    // A queue that is away answers when it is back: one question waits for that, not many.
    if (isRenewing) return
    isRenewing = true
    renew()
      // What became of the leases shows when the queue answers again.
      .catch(() => undefined)
      .finally(() => {
        isRenewing = false
      })
  }, leaseMs / 4)
  return {
    add: (lease) => void leases.set(lease.job.id ?? '', lease),
    drop({ job, token }) {
      if (leases.get(job.id ?? '')?.token === token) leases.delete(job.id ?? '')
    },
    end: () => clearInterval(timer),
  }
}
