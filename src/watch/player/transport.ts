/** The clock of a replay: play, pause, seek, speed, rounds. Knows moments only, no pictures. */

export interface Clock {
  /** Monotonic milliseconds. */
  now(): number
  /** Calls back after about so many milliseconds; returns what cancels it. */
  after(delayMs: number, callback: () => void): () => void
}

const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
}

export interface TransportEvents {
  /**
   * The moment `dueMs[index]` has come.
   * @param plannedMs since `play()`, as the timing has it; `actualMs`: as the clock has it
   */
  onDue(index: number, plannedMs: number, actualMs: number): void
  /** A new round of a loop begins. */
  onRound(): void
  /** The end, without a loop. */
  onEnd(): void
}

export class Transport {
  speed = 1
  loop = false
  /** Rest at the end of a round before the next one. */
  holdMs = 0
  #dueMs: readonly number[] = []
  #playing = false
  #next = 0
  // Position and time at one moment in the past: every other moment is reckoned from it, so no error adds up.
  #anchorPosition = 0
  #anchorTime = 0
  #startedAt = 0
  #cancel: (() => void) | null = null
  readonly #events: TransportEvents
  readonly #clock: Clock

  constructor(events: TransportEvents, clock: Clock = SYSTEM_CLOCK) {
    this.#events = events
    this.#clock = clock
  }

  /** Moments in rising order. Stops, and goes to the beginning. */
  load(dueMs: readonly number[]): void {
    this.pause()
    this.#dueMs = dueMs
    this.seek(0)
  }

  get playing(): boolean {
    return this.#playing
  }

  get totalMs(): number {
    return this.#dueMs.at(-1) ?? 0
  }

  /** Within 0 … totalMs. */
  get positionMs(): number {
    return Math.min(this.#rawPosition(), this.totalMs)
  }

  get atEnd(): boolean {
    return this.#next >= this.#dueMs.length
  }

  /** Goes on from where it is; from the beginning when it is at the end. */
  play(): void {
    if (this.#playing || this.#dueMs.length === 0) return
    if (this.atEnd) this.seek(0)
    this.#playing = true
    this.#anchorTime = this.#clock.now()
    this.#startedAt = this.#anchorTime
    this.#arm()
  }

  pause(): void {
    if (!this.#playing) return
    this.#anchorPosition = this.#rawPosition()
    this.#playing = false
    this.#cancel?.()
    this.#cancel = null
  }

  /** To a moment; what is due at it or before counts as shown. Playing goes on from there. */
  seek(positionMs: number): void {
    this.#anchorPosition = Math.max(0, Math.min(positionMs, this.totalMs))
    this.#anchorTime = this.#clock.now()
    this.#startedAt = this.#anchorTime
    const next = this.#dueMs.findIndex((due) => due > this.#anchorPosition)
    this.#next = next < 0 ? this.#dueMs.length : next
    // The beginning comes before everything, also before what is due at 0.
    if (positionMs <= 0) this.#next = 0
    if (this.#playing) this.#arm()
  }

  /** Changes the pace without a jump. */
  setSpeed(speed: number): void {
    if (!(speed > 0)) throw new RangeError(`a speed is above 0, not ${speed}`)
    this.#anchorPosition = this.#rawPosition()
    this.#anchorTime = this.#clock.now()
    this.speed = speed
    if (this.#playing) this.#arm()
  }

  #rawPosition(): number {
    if (!this.#playing) return this.#anchorPosition
    return this.#anchorPosition + (this.#clock.now() - this.#anchorTime) * this.speed
  }

  #timeOf(positionMs: number): number {
    return this.#anchorTime + (positionMs - this.#anchorPosition) / this.speed
  }

  #arm(): void {
    this.#cancel?.()
    this.#cancel = null
    const due = this.#dueMs[this.#next]
    const at = due === undefined ? this.#timeOf(this.totalMs) + this.holdMs : this.#timeOf(due)
    this.#cancel = this.#clock.after(Math.max(0, at - this.#clock.now()), () => this.#tick())
  }

  #tick(): void {
    this.#cancel = null
    while (this.#playing && !this.atEnd) {
      const index = this.#next
      const due = this.#dueMs[index] ?? 0
      const at = this.#timeOf(due)
      const now = this.#clock.now()
      // A timer may be early by a fraction; a picture may not.
      if (now < at) break
      this.#next += 1
      this.#events.onDue(index, at - this.#startedAt, now - this.#startedAt)
    }
    if (!this.#playing || this.#cancel !== null) return
    if (this.atEnd && this.#isRoundOver()) return
    this.#arm()
  }

  /** Begins the next round, or ends; true when there is nothing more to wait for. */
  #isRoundOver(): boolean {
    if (!this.loop) {
      this.#anchorPosition = this.totalMs
      this.#playing = false
      this.#events.onEnd()
      return true
    }
    const over = this.#timeOf(this.totalMs) + this.holdMs
    if (this.#clock.now() < over) return false
    // The next round is reckoned from when this one should have ended, not from when the timer came.
    this.#anchorTime = over
    this.#anchorPosition = 0
    this.#next = 0
    this.#events.onRound()
    return false
  }
}
