/** The batches of one model that wait for a device: taken in the order of the sheet, given back when a device died. */

export interface BatchQueue<T> {
  /** The next batch, as soon as there is one; null when none is left and none can come back. */
  readonly take: () => Promise<readonly T[] | null>
  /** A batch that was taken is dealt with. */
  readonly settle: () => void
  /** Units of a batch that was taken, to be drawn again before all others; `settle` follows. */
  readonly giveBack: (batch: readonly T[]) => void
  /** Takes out whatever waits. */
  readonly takeRest: () => readonly T[]
}

export function createBatchQueue<T>(batches: readonly (readonly T[])[]): BatchQueue<T> {
  const waiting = [...batches]
  let next = 0
  let taken = 0
  let waiters: (() => void)[] = []
  const wake = () => {
    const woken = waiters
    waiters = []
    for (const resume of woken) resume()
  }
  return {
    async take() {
      for (;;) {
        const batch = waiting[next]
        if (batch !== undefined) {
          next++
          taken++
          return batch
        }
        if (taken === 0) return null
        await new Promise<void>((resolve) => {
          waiters.push(resolve)
        })
      }
    },
    settle() {
      taken--
      wake()
    },
    giveBack(batch) {
      if (batch.length > 0) waiting.splice(next, 0, batch)
      wake()
    },
    takeRest() {
      const rest = waiting.slice(next).flat()
      next = waiting.length
      wake()
      return rest
    },
  }
}

/** Where batches come from that are not known before. */
export interface Feed<T> {
  /** Waits for the next one; null: there is no more for this model. Asked by several devices at once. */
  readonly take: () => Promise<readonly T[] | null>
}

/** As `createBatchQueue`, of batches that come one by one. */
export function createFedQueue<T>(feed: Feed<T>): BatchQueue<T> {
  const waiting: (readonly T[])[] = []
  return {
    async take() {
      return waiting.shift() ?? (await feed.take())
    },
    settle: () => undefined,
    giveBack(batch) {
      if (batch.length > 0) waiting.unshift(batch)
    },
    takeRest: () => waiting.splice(0).flat(),
  }
}
