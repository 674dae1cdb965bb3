/** The timing itself to scrub in: each step as wide as it took, the final picture in another colour. */
import { formatSeconds } from '../model/format.ts'
import type { ReplayEngine } from './engine.ts'

export function Scrubber({ engine }: { engine: ReplayEngine }) {
  const { lead, frame, totalMs } = engine
  if (lead === null) return <div class="scrubber" data-empty />
  const seekTo = (event: PointerEvent) => {
    if (!(event.currentTarget instanceof Element) || event.buttons === 0) return
    const { left, width } = event.currentTarget.getBoundingClientRect()
    engine.seek(Math.max(0, Math.min(1, (event.clientX - left) / width)) * totalMs)
  }
  return (
    <div
      class="scrubber"
      role="slider"
      tabIndex={0}
      aria-label="Step"
      aria-valuemin={0}
      aria-valuemax={lead.dueMs.length}
      aria-valuenow={frame}
      aria-valuetext={textOf(frame, lead.steps, engine.positionMs, totalMs)}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        seekTo(event)
      }}
      onPointerMove={seekTo}
      onKeyDown={(event) => {
        const change = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key]
        if (change === undefined) return
        event.preventDefault()
        engine.stepBy(change)
      }}
    >
      {lead.dueMs.map((due, place) => (
        <span
          key={place}
          class="segment"
          style={{ flexGrow: Math.max(1, due - (lead.dueMs[place - 1] ?? 0)) }}
          data-past={place + 1 <= frame || undefined}
          data-now={place + 1 === frame || undefined}
          data-final={place === lead.steps || undefined}
        />
      ))}
      {totalMs > lead.totalMs && <span class="segment rest" style={{ flexGrow: totalMs - lead.totalMs }} />}
    </div>
  )
}

/** `step 9 of 20 · 0.7 of 1.6 s`. */
export function textOf(frame: number, steps: number, positionMs: number, totalMs: number): string {
  const name = frame > steps ? 'final' : `step ${frame} of ${steps}`
  return `${name} · ${(positionMs / 1000).toFixed(2)} of ${totalMs < 100_000 ? `${(totalMs / 1000).toFixed(2)} s` : formatSeconds(totalMs / 1000)}`
}
