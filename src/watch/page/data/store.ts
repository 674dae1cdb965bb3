/** Something that changes, and tells so: once for many changes in a row. */

// Often enough for numbers to follow a run, seldom enough for pages with thousands of places.
const QUIET_MS = 60

export class Store {
  readonly #listeners = new Set<() => void>()
  #timer: ReturnType<typeof setTimeout> | null = null
  /** Rises with each telling. */
  revision = 0

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  protected changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.revision += 1
      for (const listener of [...this.#listeners]) listener()
    }, QUIET_MS)
  }
}
