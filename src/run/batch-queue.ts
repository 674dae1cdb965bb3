/** The batches of one model that wait for a device: taken in the order of the sheet, given back when a device died. */

export interface BatchQueue<T> {
  /**
   * The next batch, as soon as there is one; null when none is left and none can come back.
   * @param most how much of it is taken, told how much waits in all; the rest stays in front. Default: all of it
   */
  readonly take: (most?: (front: readonly T[], waiting: number) => number) => Promise<readonly T[] | null>
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
  let items = batches.reduce((sum, batch) => sum + batch.length, 0)
  let taken = 0
  let waiters: (() => void)[] = []
  const wake = () => {
    const woken = waiters
    waiters = []
    for (const resume of woken) resume()
  }
  return {
    async take(most = (front) => front.length) {
      for (;;) {
        const batch = waiting[next]
        if (batch !== undefined) {
          const count = Math.max(1, most(batch, items))
          if (count < batch.length) waiting[next] = batch.slice(count)
          else next++
          taken++
          items -= count
          return batch.slice(0, count)
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
      items += batch.length
      wake()
    },
    takeRest() {
      const rest = waiting.slice(next).flat()
      next = waiting.length
      items = 0
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
