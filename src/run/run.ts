/** One run as an object: its events, its result, its cancel. */
import { createStateLayout } from '../artifacts/layout.ts'
import { conductRun } from './conduct-run.ts'
import { createEventBus, type EventBus } from './event-bus.ts'
import type { RunEvent } from './events.ts'
import { refuseLockedOutput } from './lock-output.ts'
import type { RunOptions } from './options.ts'
import { cancelled, prepareRun } from './prepare.ts'
import type { RunSummary } from './summary.ts'

/** Iterated, it gives every event from then on, and throws what ended the run too early. */
export interface Run extends AsyncIterable<RunEvent> {
  /** `20261126-231502-4f7a`; ids sort by time. */
  readonly id: string
  /**
   * The summary, also of a run whose units failed or that was cancelled while it drew.
   * @throws PregenError what was wrong before the first unit; `E_CANCELLED` when it was cancelled by then
   */
  readonly result: Promise<RunSummary>
  /** Stops before the next step. What is whole is kept; running again goes on from there. */
  readonly cancel: () => void
  /** Finishes the pictures in hand, sends them and stops. Running again goes on from there. */
  readonly drain: () => void
  /** As iterating, by calls. A listener that throws is not called again. @returns the function that ends it */
  readonly subscribe: EventBus['subscribe']
}

export function startRun(options: RunOptions): Run {
  const cancelling = new AbortController()
  const signal = AbortSignal.any([options.signal, cancelling.signal])
  const asked = new AbortController()
  const draining = AbortSignal.any([asked.signal, ...(options.draining ? [options.draining] : [])])
  const bus = createEventBus({ run: options.runId })
  const result = begin({ ...options, signal, draining }, bus)
  // Who only iterates hears of a failure there.
  result.catch(() => undefined)
  return {
    id: bus.run,
    result,
    cancel: () => cancelling.abort(),
    drain: () => asked.abort(),
    subscribe: bus.subscribe,
    [Symbol.asyncIterator]: () => iterate(bus, result),
  }
}

async function begin(options: RunOptions, bus: EventBus): Promise<RunSummary> {
  const { signal } = options
  if (signal.aborted) throw cancelled(signal.reason)
  // Before models are read: who is turned away need not wait for that.
  await refuseLockedOutput(createStateLayout(options.outDir).lockPath)
  const prepared = await prepareRun(options)
  return await conductRun({ prepared, options, bus })
}

/** Events wait for their reader, without limit: a run is not slowed by who watches it. */
function iterate(bus: EventBus, result: Promise<RunSummary>): AsyncIterator<RunEvent> {
  const waiting: RunEvent[] = []
  let isOver = false
  let wake: () => void = () => undefined
  const unsubscribe = bus.subscribe((event) => {
    waiting.push(event)
    wake()
  })
  const end = () => {
    isOver = true
    unsubscribe()
    wake()
  }
  result.then(end, end)
  return {
    async next() {
      while (waiting.length === 0 && !isOver) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      const value = waiting.shift()
      if (value !== undefined) return { value, done: false }
      await result
      return { value: undefined, done: true }
    },
    async return() {
      end()
      return { value: undefined, done: true }
    },
  }
}
