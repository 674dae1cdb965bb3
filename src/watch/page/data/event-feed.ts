/** The lines of a run's log as server-sent events. */
import type { RunEvent } from '../../../run/events.ts'

export interface EventFeedHandlers {
  onEvent(event: RunEvent): void
  /** Whether the connection stands. */
  onConnection(stands: boolean): void
}

const RETRY_MS = 2000

/** @returns what ends it */
export function followEvents(url: string, { onEvent, onConnection }: EventFeedHandlers): () => void {
  let source: EventSource | null = null
  let retry: ReturnType<typeof setTimeout> | null = null
  const open = () => {
    source = new EventSource(url)
    source.onopen = () => onConnection(true)
    source.onmessage = ({ data }) => {
      const event = parseLine(data)
      if (event !== null) onEvent(event)
    }
    source.onerror = () => {
      onConnection(false)
      // The browser tries again by itself after a cut, but not after an answer that is an error.
      if (source?.readyState !== EventSource.CLOSED) return
      retry = setTimeout(open, RETRY_MS)
    }
  }
  open()
  return () => {
    source?.close()
    if (retry !== null) clearTimeout(retry)
  }
}

/** null for a message that is none of the server's: half a one, where a connection was cut. */
function parseLine(line: unknown): RunEvent | null {
  if (typeof line !== 'string') return null
  try {
    // The server sends what its own schema of events has let through.
    return JSON.parse(line) as RunEvent
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
