/** An end to waiting, whatever becomes of what is waited for. */

/** The time was up. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/**
 * Settles when `work` does, when `timeoutMs` are over, or when `signal` is aborted: whichever comes first. The timer
 * keeps the process alive, so that a socket which closes without a word cannot end it before its time.
 *
 * @param work its signal ends with the time, or with `signal`
 * @throws DeadlineError; the reason of `signal`; what `work` throws
 */
export async function withDeadline<T>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const ended = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let onAbort: (() => void) | undefined
  const cut = new Promise<never>((_, reject) => {
    const end = (reason: unknown) => {
      reject(reason)
      ended.abort(reason)
    }
    timer = setTimeout(() => end(new DeadlineError(`not done within ${timeoutMs / 1000} s`)), timeoutMs)
    onAbort = () => end(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work(ended.signal), cut])
  } finally {
    clearTimeout(timer)
    if (onAbort) signal?.removeEventListener('abort', onAbort)
  }
}
