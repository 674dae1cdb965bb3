import type { ComponentChildren } from 'preact'

interface Props {
  readonly title: string
  readonly note?: string
  readonly children: ComponentChildren
}

export function Section({ title, note, children }: Props) {
  return (
    <section class="side-section">
      <h2>
        {title} {note !== undefined && <span class="note">{note}</span>}
      </h2>
      {children}
    </section>
  )
}
