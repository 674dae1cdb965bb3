/** The lines of a run's log as server-sent events. The client pulls: what it does not read stays on disk. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseRunEvent } from '../../run/events.ts'
import { readLogPart } from '../runs/log-reader.ts'
import type { RunList } from '../runs/run-list.ts'

const LOOK_MS = 100
/** Proxies close a connection that says nothing. */
const HEARTBEAT_MS = 15_000

export interface EventStreamOptions {
  /** `seq` of the last event that the client has. */
  readonly since: number
  /** Aborted: the stream ends with what the log holds by then. */
  readonly closing: AbortSignal
}

export async function eventStream(
  runs: RunList,
  id: string,
  { since, closing }: EventStreamOptions,
): Promise<Response> {
  if (await hasNothingMore(runs, id, since)) return new Response(null, { status: 204 })
  const leaving = new AbortController()
  const chunks = eventChunks(runs, id, since, AbortSignal.any([leaving.signal, closing]))
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await chunks.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    cancel() {
      leaving.abort()
    },
  })
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
  })
}

/** A client that comes back after the end is told so, or it would come back for ever. */
async function hasNothingMore(runs: RunList, id: string, since: number): Promise<boolean> {
  if (since === 0) return false
  const follower = runs.follower(id)
  await follower.update()
  return since >= follower.state.seq && (await runs.isOver(id))
}

async function* eventChunks(
  runs: RunList,
  id: string,
  since: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let next = 0
  let spokenAt = performance.now()
  yield 'retry: 1000\n\n'
  for (;;) {
    // Asked before the log is read, so that nothing written between the two is missed.
    const isOver = signal.aborted || (await runs.isOver(id))
    const part = await readLogPart(runs.inside, id, next)
    next = part.next
    const events = part.lines.flatMap((line) => {
      const event = parseRunEvent(line)
      return event === null || event.run !== id || event.seq <= since
        ? []
        : [`id: ${event.seq}\ndata: ${line}\n\n`]
    })
    if (events.length > 0) {
      spokenAt = performance.now()
      yield events.join('')
    }
    if (part.hasMore) continue
    if (isOver) return
    if (performance.now() - spokenAt > HEARTBEAT_MS) {
      spokenAt = performance.now()
      yield ': still here\n\n'
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
  }
}
