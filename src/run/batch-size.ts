/**
 * How many pictures a call pay on a device, found out on the run's own pictures: 1, 2, 4, … for as long as a picture's
 * step gets shorter by it. What is drawn is the same with any number.
 */

import type { BatchOutcome } from './generate-batch.ts'
import type { PreparedUnit } from './prepared.ts'

/** Sizes double up to this. */
export const MAX_AUTO_BATCH = 64
/** A picture's step must get shorter by this part, or a larger call is not worth its memory. */
const WORTH = 0.05

export interface BatchSize {
  /** Pictures for the next call. */
  readonly next: () => number
  /** Whether a larger size may still be tried: then what comes next hangs on the call in hand. */
  readonly isOpen: () => boolean
  /**
   * A call was drawn.
   * @param stepsMs of the whole call, the first step included
   */
  readonly note: (pictures: number, stepsMs: readonly number[]) => void
  /** A call failed for want of memory, or another reason that a smaller one may not have. */
  readonly fail: (pictures: number) => void
  /** Milliseconds that a picture's step takes, by pictures a call. */
  readonly measured: () => ReadonlyMap<number, number>
}

/** What a device takes from the queue. */
export interface BatchSizes {
  /** Of what stands first in the queue. @param waiting units in the queue, those included */
  readonly most: (front: readonly PreparedUnit[], waiting: number) => number
  /** Whether what comes next hangs on the call in hand. */
  readonly isOpen: () => boolean
  readonly note: (batch: readonly PreparedUnit[], outcome: BatchOutcome) => void
}

/** @param most pictures a call that memory surely holds, from 1 */
export function createBatchSize(most: number): BatchSize {
  const measured = new Map<number, number>()
  let limit = Math.min(most, MAX_AUTO_BATCH)
  let size = 1
  let isSettled = limit < 2
  const settle = (chosen: number) => {
    size = chosen
    isSettled = true
  }
  return {
    next: () => size,
    isOpen: () => !isSettled,
    note(pictures, stepsMs) {
      // The end of the queue gives smaller calls than were asked for.
      if (isSettled || pictures !== size) return
      const ms = median(stepsMs.length > 1 ? stepsMs.slice(1) : stepsMs) / pictures
      measured.set(size, ms)
      const before = measured.get(size / 2)
      if (before !== undefined && ms > before * (1 - WORTH)) settle(size / 2)
      else if (size * 2 > limit) settle(size)
      else size *= 2
    },
    fail(pictures) {
      if (pictures < 2 || pictures > size) return
      limit = Math.max(1, Math.floor(pictures / 2))
      settle(Math.min(size, limit))
    },
    measured: () => measured,
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
}
