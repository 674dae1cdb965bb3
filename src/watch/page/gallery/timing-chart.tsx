/** A bar a step, as high as it took; the final picture's decoding in another colour. */
import type { Timeline } from '../../player/timeline.ts'
import { formatSeconds } from '../model/format.ts'

const HEIGHT = 56

export function TimingChart({ timeline }: { timeline: Timeline }) {
  const durations = timeline.dueMs.map((due, place) => due - (timeline.dueMs[place - 1] ?? 0))
  const most = Math.max(1, ...durations)
  const steps = durations.slice(0, -1)
  const range = steps.length === 0 ? '' : `${Math.min(...steps)} to ${Math.max(...steps)} ms a step, `
  const summary = `${timeline.steps} steps, ${range}final ${durations.at(-1)} ms`
  const nameOf = (place: number) => (place < timeline.steps ? `step ${place + 1}` : 'final')
  return (
    <figure class="timing">
      <svg
        viewBox={`0 0 ${durations.length * 10} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={summary}
      >
        {durations.map((durationMs, place) => {
          const height = Math.max(1, (durationMs / most) * HEIGHT)
          return (
            <rect
              key={place}
              class={place < timeline.steps ? 'bar-step' : 'bar-final'}
              x={place * 10 + 1}
              y={HEIGHT - height}
              width={8}
              height={height}
            >
              <title>
                {nameOf(place)}: {durationMs} ms
              </title>
            </rect>
          )
        })}
      </svg>
      <figcaption>
        {summary} · {formatSeconds(timeline.totalMs / 1000)} in all
      </figcaption>
    </figure>
  )
}
