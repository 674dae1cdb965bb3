import { useEffect, useState } from 'preact/hooks'

/** A command in full, and a button that copies it. */
export function CopyCommand({ command, label = 'Copy' }: { command: string; label?: string }) {
  const [message, setMessage] = useState<string | null>(null)
  useEffect(() => {
    if (message === null) return
    const timer = setTimeout(() => setMessage(null), 1500)
    return () => clearTimeout(timer)
  }, [message])
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(command)
      setMessage('Copied')
    } catch (error) {
      // Plain http beyond this machine, or a viewer who said no: the command can still be marked by hand.
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error
      setMessage('Mark it and copy')
    }
  }
  return (
    <div class="command">
      <code>{command}</code>
      <button type="button" onClick={() => void copy()}>
        <span role="status">{message ?? label}</span>
      </button>
    </div>
  )
}
