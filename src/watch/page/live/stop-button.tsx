import { useRef, useState } from 'preact/hooks'
import type { RunEntry } from '../data/run-list.ts'
import { useSession } from '../parts/hooks.ts'

/** Stops the run, after asking. */
export function StopButton({ run, command }: { run: RunEntry; command: string }) {
  const session = useSession()
  const dialog = useRef<HTMLDialogElement>(null)
  const [told, setTold] = useState<string | null>(null)
  const stop = async () => {
    dialog.current?.close()
    setTold('Stopping …')
    try {
      if (!(await session.cancel(run))) setTold('The server refused to stop it')
    } catch (error) {
      // No connection: the run cannot have heard it.
      if (!(error instanceof TypeError)) throw error
      setTold('Not stopped: no connection')
    }
  }
  return (
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>
        <span role="status">{told ?? 'Stop the run'}</span>
      </button>
      <dialog ref={dialog} aria-labelledby="stop-title">
        <h2 id="stop-title">Stop this run?</h2>
        <p>Finished pictures stay. The one in the making is dropped, and drawn anew when you go on with:</p>
        <code>{command}</code>
        <p class="actions">
          <button type="button" class="bad" onClick={() => void stop()}>
            Stop it
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Let it go on
          </button>
        </p>
      </dialog>
    </>
  )
}
