/** The lines of a run's log as server-sent events. */

export interface EventFeedHandlers {
  onEvent(event: unknown): void
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

/** null for a line that is no JSON: a log may end in a torn one. */
function parseLine(line: unknown): unknown {
  if (typeof line !== 'string') return null
  try {
    return JSON.parse(line)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}
