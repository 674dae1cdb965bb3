/** What the viewer has the queue do, and what became of it. */
import { useState } from 'preact/hooks'
import { isRecord } from '../../player/timeline.ts'
import type { QueueSheet } from '../data/queue-list.ts'
import { finiteNumber } from '../data/show.ts'
import { countOf } from '../model/format.ts'
import { useSession } from '../parts/hooks.ts'

export interface Changes {
  /** Told last; empty: nothing was asked. */
  readonly told: string
  readonly retry: (sheet: QueueSheet) => void
  readonly cancel: (sheet: QueueSheet) => void
  /** Takes one that has ended off the list. */
  readonly forget: (sheet: QueueSheet) => void
}

/** @param onChanged the queue is another one now */
export function useChanges(onChanged: () => void): Changes {
  const { home } = useSession()
  const [told, setTold] = useState('')
  const ask = async (
    { id, version }: QueueSheet,
    action: 'retry' | 'cancel',
    words: (jobs: number) => string,
  ) => {
    setTold(`${version} …`)
    try {
      const url = home.apiUrl(`queue/${encodeURIComponent(id)}/${action}`)
      const response = await fetch(url, { method: 'POST' })
      setTold(`${version}: ${response.ok ? words(jobsOf(await response.json())) : refusal(response.status)}`)
    } catch (error) {
      // No connection: the server cannot have heard it.
      if (!(error instanceof TypeError)) throw error
      setTold(`${version}: not done, no connection to pregen serve`)
    }
    onChanged()
  }
  return {
    told,
    retry: (sheet) =>
      void ask(sheet, 'retry', (jobs) =>
        jobs === 0 ? 'nothing was left to try again' : `${countOf(jobs, 'job')} put in again`,
      ),
    cancel: (sheet) =>
      void ask(
        sheet,
        'cancel',
        (jobs) => `cancelled, ${countOf(jobs, 'job')} taken out; what is in work is finished`,
      ),
    forget: (sheet) => void ask(sheet, 'cancel', () => 'taken off the list'),
  }
}

function refusal(status: number): string {
  if (status === 404) return 'the queue has it no more'
  return status === 503 ? 'not done, the queue is away' : `not done, the server answered ${status}`
}

function jobsOf(value: unknown): number {
  return (isRecord(value) ? finiteNumber(value.jobs) : null) ?? 0
}
