/** Looks at the queue for as long as its view is shown. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { fetchJson, HttpError } from '../data/fetch-json.ts'
import { type QueueSheet, readQueue } from '../data/queue-list.ts'
import { useSession } from '../parts/hooks.ts'

export interface QueueLook {
  /** As it was last seen; null: not yet. */
  readonly sheets: readonly QueueSheet[] | null
  /** The server answers, and says that the queue does not. */
  readonly isAway: boolean
  /** Looks at once. */
  readonly lookAgain: () => void
}

// Workers tell of a step each second at most.
const LOOK_MS = 1000
const HIDDEN_MS = 10_000

export function useQueue(): QueueLook {
  const { home } = useSession()
  const [sheets, setSheets] = useState<readonly QueueSheet[] | null>(null)
  const [isAway, setAway] = useState(false)
  const again = useRef<() => void>(() => undefined)
  useEffect(() => {
    const leaving = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let turn = 0
    const look = async (): Promise<void> => {
      clearTimeout(timer)
      const own = ++turn
      try {
        const found = readQueue(await fetchJson(home.apiUrl('queue'), leaving.signal))
        if (own !== turn) return
        setSheets(found)
        setAway(false)
      } catch (error) {
        if (leaving.signal.aborted || own !== turn) return
        // Without the server, or its key, the line at the top says so.
        if (error instanceof HttpError) setAway(error.status !== 401)
        else if (!(error instanceof TypeError)) throw error
      }
      timer = setTimeout(() => void look(), document.hidden ? HIDDEN_MS : LOOK_MS)
    }
    const onVisible = () => {
      if (!document.hidden) void look()
    }
    again.current = () => void look()
    document.addEventListener('visibilitychange', onVisible)
    void look()
    return () => {
      leaving.abort()
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', onVisible)
    }
  }, [home])
  return { sheets, isAway, lookAgain: () => again.current() }
}
