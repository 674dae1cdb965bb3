/** Bounds the bytes held at once: takers wait, first come first served, until enough is given back. */

export interface ByteBudget {
  /**
   * Waits for `sizeBytes`; more than the whole budget is let through alone.
   * @returns gives it back; call it once
   */
  take(sizeBytes: number): Promise<() => void>
  /** Bytes held now. */
  readonly held: number
  /** May be changed; what is held already stays held. */
  limitBytes: number
}

export function createByteBudget(firstLimitBytes: number): ByteBudget {
  let limitBytes = firstLimitBytes
  let held = 0
  const waiting: { sizeBytes: number; start: () => void }[] = []
  const startNext = () => {
    for (
      let next = waiting[0];
      next && (held === 0 || held + next.sizeBytes <= limitBytes);
      next = waiting[0]
    ) {
      waiting.shift()
      held += next.sizeBytes
      next.start()
    }
  }
  return {
    get held() {
      return held
    },
    get limitBytes() {
      return limitBytes
    },
    set limitBytes(changed) {
      limitBytes = changed
      startNext()
    },
    async take(sizeBytes) {
      await new Promise<void>((resolve) => {
        waiting.push({ sizeBytes, start: resolve })
        startNext()
      })
      let given = false
      return () => {
        if (given) return
        given = true
        held -= sizeBytes
        startNext()
      }
    },
  }
}
