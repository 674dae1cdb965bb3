import { useRef, useState } from 'preact/hooks'
import type { RunEntry } from '../data/run-list.ts'
import { useSession } from '../parts/hooks.ts'

/** Stops the run, after asking. */
export function StopButton({ run, command }: { run: RunEntry; command: string }) {
  const session = useSession()
  const dialog = useRef<HTMLDialogElement>(null)
  const [message, setMessage] = useState<string | null>(null)
  const stop = async (drains: boolean) => {
    dialog.current?.close()
    setMessage(drains ? 'Finishing the picture in hand …' : 'Stopping …')
    try {
      if (!(await session.cancel(run, drains))) setMessage('The server refused to stop it')
    } catch (error) {
      // No connection: the run cannot have heard it.
      if (!(error instanceof TypeError)) throw error
      setMessage('Not stopped: no connection')
    }
  }
  return (
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>
        <span role="status">{message ?? 'Stop the run'}</span>
      </button>
      <dialog ref={dialog} aria-labelledby="stop-title">
        <h2 id="stop-title">Stop this run?</h2>
        <p>
          Finished pictures stay.{' '}
          {!run.isUpload && 'The one in the making can be finished first, or is dropped. '}
          The rest is done when you go on with:
        </p>
        <code>{command}</code>
        <p class="actions">
          {!run.isUpload && (
            <button type="button" onClick={() => void stop(true)}>
              Finish the picture in hand
            </button>
          )}
          <button type="button" class="bad" onClick={() => void stop(false)}>
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
