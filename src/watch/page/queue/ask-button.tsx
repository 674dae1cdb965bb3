import type { ComponentChildren } from 'preact'
import { useId, useRef } from 'preact/hooks'

interface Props {
  readonly label: string
  /** What it is about, for who hears the button alone. */
  readonly subject: string
  readonly title: string
  /** What happens then. */
  readonly children: ComponentChildren
  readonly yes: string
  readonly no: string
  readonly isBad?: boolean
  readonly isQuiet?: boolean
  readonly onYes: () => void
}

/** A button that asks first. */
export function AskButton({ label, subject, title, children, yes, no, isBad, isQuiet, onYes }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  return (
    <>
      <button
        type="button"
        class={isQuiet ? 'quiet' : undefined}
        aria-label={`${label}: ${subject}`}
        onClick={() => dialog.current?.showModal()}
      >
        {label}
      </button>
      <dialog ref={dialog} aria-labelledby={id}>
        <h2 id={id}>{title}</h2>
        {children}
        <p class="actions">
          <button
            type="button"
            class={isBad ? 'bad' : undefined}
            onClick={() => {
              dialog.current?.close()
              onYes()
            }}
          >
            {yes}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            {no}
          </button>
        </p>
      </dialog>
    </>
  )
}
