/**
 * How many bytes are on their way into the store at once. A thin line that is shared by sixteen uploads finishes none
 * of them in time, so few begin; each that is confirmed soon lets more begin, and one that was not heard of, fewer.
 */
import { createByteBudget } from './byte-budget.ts'

export interface Pace {
  /** Lets an upload begin when it is its turn. */
  run<T>(sizeBytes: number, upload: () => Promise<T>): Promise<T>
  /** An upload was not heard of for too long. */
  timedOut(): void
  /** How long the line may need, at its slowest, for all that is on its way. */
  allowanceMs(): number
}

const FIRST_BYTES = 2 * 1024 * 1024
const LEAST_BYTES = 64 * 1024
const MOST_BYTES = 64 * 1024 * 1024
/** 20 kB/s with something to spare: what lies in the kernel's buffers is on its way unseen. */
const SLOWEST_BYTES_PER_MS = 16
/** A line may become slower by so much before it is called silent. */
const SLOWER_BY = 8
const SOON_MS = 10_000
const LATE_MS = 20_000

export function createPace(firstBytes = FIRST_BYTES): Pace {
  const budget = createByteBudget(firstBytes)
  /** Of the whole line, as far as it has shown. */
  let bytesPerMs = 0
  return {
    async run(sizeBytes, upload) {
      const release = await budget.take(sizeBytes)
      const from = performance.now()
      const onTheirWay = budget.held
      try {
        const result = await upload()
        const tookMs = Math.max(1, performance.now() - from)
        bytesPerMs = Math.max(bytesPerMs * 0.75, onTheirWay / tookMs)
        if (tookMs < SOON_MS) budget.limitBytes = Math.min(MOST_BYTES, budget.limitBytes + sizeBytes)
        else if (tookMs > LATE_MS) budget.limitBytes = Math.max(LEAST_BYTES, onTheirWay / 2)
        return result
      } finally {
        release()
      }
    },
    timedOut() {
      bytesPerMs = 0
      budget.limitBytes = Math.max(LEAST_BYTES, budget.limitBytes / 2)
    },
    allowanceMs: () => budget.held / Math.max(SLOWEST_BYTES_PER_MS, bytesPerMs / SLOWER_BY),
  }
}
