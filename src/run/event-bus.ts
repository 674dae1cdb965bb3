/** The event stream of a run: stamps each event and hands it to every listener. */
import { randomBytes } from 'node:crypto'
import { messageOf } from '../errors.ts'
import type { EmitRunEvent, RunEvent } from './events.ts'

export type RunEventListener = (event: RunEvent) => void

export interface EventBus {
  /** `20261126-231502-4f7a`; ids sort by time. */
  readonly run: string
  readonly emit: EmitRunEvent
  /** @returns the function that ends the subscription */
  readonly subscribe: (listener: RunEventListener) => () => void
}

export interface EventBusOptions {
  /** Gives the time of an event; a fixed clock makes tests repeatable. */
  readonly now?: () => Date
  readonly run?: string
}

/** A listener that throws costs the others nothing: it is not called again, and a warning says so. */
export function createEventBus({
  now = () => new Date(),
  run = createRunId(now()),
}: EventBusOptions = {}): EventBus {
  const listeners = new Set<RunEventListener>()
  let seq = 0
  const emit: EmitRunEvent = ({ type, ...fields }, happenedAt = now()) => {
    // The fields are those of the type.
    const event = { type, run, seq: ++seq, time: happenedAt.toISOString(), ...fields } as RunEvent
    const faults: unknown[] = []
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (error) {
        listeners.delete(listener)
        faults.push(error)
      }
    }
    for (const fault of faults) {
      const message = `A listener of the run's events failed at "${type}" and hears no more: ${messageOf(fault)}`
      emit({ type: 'warning', code: 'W_LISTENER_FAILED', message })
    }
  }
  return {
    run,
    emit,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** The time in UTC, to the second; four hexadecimal digits hold the millisecond and tell runs of one apart: ids sort by time. */
export function createRunId(now: Date): string {
  const [date = '', time = ''] = now.toISOString().split('T')
  const within = now.getMilliseconds() * 64 + (randomBytes(1)[0]! % 64)
  const digits = within.toString(16).padStart(4, '0')
  return `${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}-${digits}`
}
