/** A long list of rows in a box that scrolls: only the rows in view exist. */
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { type ListRow, offsetsOf, rowsBetween } from '../model/rows.ts'
import { useSize } from './hooks.ts'

interface Props<R extends ListRow> {
  readonly rows: readonly R[]
  readonly render: (row: R) => ComponentChildren
  readonly label: string
  /** Stays above the rows while they scroll. */
  readonly head?: ComponentChildren
  /** Width of the rows where they are wider than the box, in pixels. */
  readonly width?: number | undefined
  /** The row to bring into view, once. */
  readonly showRow?: number | undefined
}

/** Rows made beyond the edges, so that a scroll of one frame shows no gap. */
const MARGIN_PX = 400

export function VirtualRows<R extends ListRow>({ rows, render, label, head, width, showRow }: Props<R>) {
  const [ref, size] = useSize<HTMLDivElement>()
  const [top, setTop] = useState(0)
  const frame = useRef(0)
  const offsets = useMemo(() => offsetsOf(rows), [rows])
  const onScroll = () => {
    cancelAnimationFrame(frame.current)
    frame.current = requestAnimationFrame(() => setTop(ref.current?.scrollTop ?? 0))
  }
  useLayoutEffect(() => {
    const element = ref.current
    if (element === null || showRow === undefined || showRow < 0 || size.height === 0) return
    const at = offsets[showRow] ?? 0
    if (at >= element.scrollTop && at + (rows[showRow]?.height ?? 0) <= element.scrollTop + size.height)
      return
    element.scrollTop = Math.max(0, at - size.height / 3)
    // Only when another row is asked for, or the box is laid out: the viewer may scroll away afterwards.
  }, [showRow, size.height > 0])
  const [first, end] = rowsBetween(offsets, top - MARGIN_PX, top + size.height + MARGIN_PX)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section class="scroll" ref={ref} onScroll={onScroll} aria-label={label} tabIndex={0}>
      {head}
      <div
        class="rows"
        style={{ height: `${offsets.at(-1) ?? 0}px`, width: width ? `${width}px` : undefined }}
      >
        {rows.slice(first, end).map((row, place) => (
          <div
            key={row.key}
            class="row"
            style={{ transform: `translateY(${offsets[first + place] ?? 0}px)`, height: `${row.height}px` }}
          >
            {render(row)}
          </div>
        ))}
      </div>
    </section>
  )
}
