/** Ends work that has fallen silent. Time in which the process stood still (Ctrl-Z, a laptop's sleep) is not counted. */

export interface SilenceWatch {
  /** Something moved: the silence begins anew. */
  readonly noteSign: () => void
  /** Time awake since the start. */
  readonly totalMs: () => number
  readonly hasHeard: () => boolean
  readonly stop: () => void
}

export interface SilenceOptions {
  /** Longest silence; asked again and again, for it may depend on what else is on its way. */
  readonly limitMs: () => number
  /** Longest time altogether, however much is heard. */
  readonly mostMs?: number | undefined
  readonly onSilent: () => void
}

const SLOWEST_TICK_MS = 1000

/** @returns a running watch; its timer keeps the process alive until `stop` */
export function watchSilence({ limitMs, mostMs = Infinity, onSilent }: SilenceOptions): SilenceWatch {
  const tickMs = Math.min(SLOWEST_TICK_MS, Math.max(2, limitMs() / 8, 0))
  let last = performance.now()
  let silentMs = 0
  let totalMs = 0
  let hasHeard = false
  const count = () => {
    const now = performance.now()
    // A tick that comes late by more than another was slept through: by the process or by the machine.
    const awakeMs = Math.min(now - last, 2 * tickMs)
    last = now
    silentMs += awakeMs
    totalMs += awakeMs
  }
  const timer = setInterval(() => {
    count()
    if (silentMs < limitMs() && totalMs < mostMs) return
    clearInterval(timer)
    onSilent()
  }, tickMs)
  return {
    noteSign() {
      count()
      silentMs = 0
      hasHeard = true
    },
    totalMs() {
      count()
      return totalMs
    },
    hasHeard: () => hasHeard,
    stop: () => clearInterval(timer),
  }
}
