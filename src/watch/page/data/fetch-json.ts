/** JSON over HTTP, with the status in the error. */

export class HttpError extends Error {
  readonly status: number

  constructor(status: number, url: string) {
    super(`${new URL(url).pathname} answered ${status}`)
    this.status = status
  }
}

/**
 * @throws HttpError for any answer but 2xx; SyntaxError for what is no JSON; TypeError without a connection
 */
export async function fetchJson(url: string, signal?: AbortSignal): Promise<unknown> {
  // `no-cache` asks the server whether anything changed; an unchanged answer still comes from the cache.
  const response = await fetch(url, { cache: 'no-cache', signal: signal ?? null })
  if (!response.ok) throw new HttpError(response.status, response.url || url)
  return response.json()
}

/** As `fetchJson`; null where there is nothing: 404, or the 403 that buckets without a right to list give. */
export async function fetchJsonIfThere(url: string, signal?: AbortSignal): Promise<unknown> {
  try {
    return await fetchJson(url, signal)
  } catch (error) {
    if (error instanceof HttpError && (error.status === 404 || error.status === 403)) return null
    throw error
  }
}
