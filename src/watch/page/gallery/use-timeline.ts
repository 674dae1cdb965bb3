import { useEffect, useState } from 'preact/hooks'
import { type Timeline, timelineOf } from '../../player/timeline.ts'
import { fetchJsonIfThere } from '../data/fetch-json.ts'
import { fileUrl } from '../data/home.ts'
import type { Variant } from '../data/show.ts'
import { useSession } from '../parts/hooks.ts'

/** timing.json of a variant; null while it is on its way, and where it is missing or damaged. */
export function useTimeline(variant: Variant): Timeline | null {
  const { home, version } = useSession()
  const [timeline, setTimeline] = useState<Timeline | null>(null)
  const url = version !== null && variant.hasTiming ? fileUrl(home, version, variant, 'timing.json') : null
  useEffect(() => {
    setTimeline(null)
    if (url === null) return
    const ended = new AbortController()
    fetchJsonIfThere(url, ended.signal).then(
      (value) => setTimeline(value === null ? null : timelineOf(value)),
      (error: unknown) => {
        // The panel does without a chart; the replay says what is wrong.
        if (!ended.signal.aborted) console.warn('timing.json cannot be read', error)
      },
    )
    return () => ended.abort()
  }, [url])
  return timeline
}
