/** Times stages on a monotonic clock, leaving out what happens inside hooks. */
export interface StepClock {
  /** Milliseconds since the last lap (or the start), without the time spent in `pause`d work. */
  lap(): number
  /** The same without starting a new lap. */
  elapsed(): number
  /** Runs `work` without counting it. */
  pause(work: () => void | Promise<void>): Promise<void>
}

export function createStepClock(now: () => number = () => performance.now()): StepClock {
  let mark = now()
  return {
    lap() {
      const end = now()
      const elapsed = end - mark
      mark = end
      return elapsed
    },
    elapsed: () => now() - mark,
    async pause(work) {
      const began = now()
      try {
        await work()
      } finally {
        mark += now() - began
      }
    },
  }
}
