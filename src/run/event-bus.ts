/** The event stream of a run: stamps each event with the time and hands it to every listener. */
import type { EmitRunEvent, RunEvent } from './events.ts'

export type RunEventListener = (event: RunEvent) => void

export interface EventBus {
  readonly emit: EmitRunEvent
  /** @returns the function that ends the subscription */
  readonly subscribe: (listener: RunEventListener) => () => void
}

/** @param now gives the time of an event; a fixed clock makes tests repeatable */
export function createEventBus(now: () => Date = () => new Date()): EventBus {
  const listeners = new Set<RunEventListener>()
  return {
    emit(body) {
      const event: RunEvent = { ...body, time: now().toISOString() }
      for (const listener of listeners) listener(event)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
