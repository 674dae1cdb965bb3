/** Follows one run's log: the state that its lines lead to, kept up to date for whoever looks. */
import type { Confinement } from '../../artifacts/confinement.ts'
import { parseRunEvent, type RunEvent } from '../../run/events.ts'
import { reduce } from '../../run/reduce.ts'
import { INITIAL_STATE, type RunState } from '../../run/state.ts'
import { readLogPart } from './log-reader.ts'

export class RunFollower {
  readonly id: string
  state: RunState = INITIAL_STATE
  /** When the log last moved, ms since 1970. */
  movedAtMs = 0
  readonly #inside: Confinement
  #next = 0
  #reading: Promise<void> | null = null
  readonly #listeners = new Set<(event: RunEvent) => void>()

  constructor(inside: Confinement, id: string) {
    this.#inside = inside
    this.id = id
  }

  /** Takes in what has come since the last call. Calls at the same time share one reading. */
  async update(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null
    })
    await this.#reading
  }

  /** Told of every event that an update takes in. @returns what ends it */
  subscribe(listener: (event: RunEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #read(): Promise<void> {
    for (;;) {
      const { lines, next, mtimeMs, hasMore } = await readLogPart(this.#inside, this.id, this.#next)
      this.#next = next
      if (mtimeMs > 0) this.movedAtMs = mtimeMs
      for (const line of lines) {
        const event = parseRunEvent(line)
        if (event === null || event.run !== this.id) continue
        this.state = reduce(this.state, event)
        for (const listener of this.#listeners) listener(event)
      }
      if (!hasMore) return
    }
  }
}
