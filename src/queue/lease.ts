/**
 * Leases on jobs in hand. They are renewed from this process, in which nothing blocks: inference has a process of its own.
 * A job whose lease ran out belongs to whoever takes it next.
 */
import type { Worker } from 'bullmq'
import type { Hand } from './hand.ts'

/** A machine that says nothing for so long has lost its jobs. */
export const LEASE_MS = 120_000

export interface Leases {
  readonly add: (hand: Hand) => void
  readonly drop: (hand: Hand) => void
  readonly end: () => void
}

/** Whether a lease holds now; it is renewed by the asking. */
export async function renewLease(
  worker: Worker,
  { job, token }: Pick<Hand, 'job' | 'token'>,
  leaseMs: number,
): Promise<boolean> {
  const lost = await worker.extendJobLocks([job.id ?? ''], [token], leaseMs)
  return lost.length === 0
}

/** @param onLost told once of a hand whose lease is gone; it is let go by then */
export function keepLeases(worker: Worker, leaseMs: number, onLost: (hand: Hand) => void): Leases {
  const hands = new Map<string, Hand>()
  const renew = async (): Promise<void> => {
    const own = [...hands]
    if (own.length === 0) return
    const ids = own.map(([id]) => id)
    const tokens = own.map(([, { token }]) => token)
    const lost = new Set(await worker.extendJobLocks(ids, tokens, leaseMs))
    for (const [id, hand] of own) {
      if (!lost.has(id) || hands.get(id) !== hand) continue
      hands.delete(id)
      hand.letGo()
      onLost(hand)
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
    add: (hand) => void hands.set(hand.job.id ?? '', hand),
    drop(hand) {
      if (hands.get(hand.job.id ?? '') === hand) hands.delete(hand.job.id ?? '')
    },
    end: () => clearInterval(timer),
  }
}
