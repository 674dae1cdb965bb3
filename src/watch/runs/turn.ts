/** Runs of one output folder go one after the other, in the order in which they were submitted. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunList } from './run-list.ts'

export interface TurnOptions {
  readonly signal: AbortSignal
  /** Told when the queue before it has changed: ids of the runs that go first. */
  readonly onQueue?: ((ahead: readonly string[]) => void) | undefined
  readonly pollMs?: number | undefined
}

const POLL_MS = 300

/** Resolves when no run that was submitted earlier is waiting or at work. @throws the signal's reason */
export async function waitForTurn(runs: RunList, id: string, options: TurnOptions): Promise<void> {
  const { signal, onQueue, pollMs = POLL_MS } = options
  let known = ''
  for (;;) {
    signal.throwIfAborted()
    const ahead = await runs.ahead(id)
    if (ahead.length === 0) return
    if (ahead.join() !== known) onQueue?.(ahead)
    known = ahead.join()
    await sleep(pollMs, undefined, { signal })
  }
}
