/** The picture in the making: pushed by a socket, asked for while that is cut. */
import { type Progress, readProgress } from './progress.ts'

export type LiveWay = 'connecting' | 'socket' | 'polling' | 'lost'

export interface LiveHandlers {
  onProgress(progress: Progress): void
  /** A decoded picture, which the receiver closes; it belongs to the progress told last. */
  onPicture(picture: ImageBitmap, progress: Progress): void
  onWay(way: LiveWay): void
}

export interface LiveSettings {
  /** A picture every so many steps. */
  readonly every: number
  /** Go on while the tab is hidden. */
  readonly keep: boolean
}

const POLL_MS = 1000
const FIRST_RETRY_MS = 1000
const LONGEST_RETRY_MS = 15_000

export class LiveFeed {
  readonly #socketUrl: string
  readonly #pollUrl: string
  readonly #handlers: LiveHandlers
  #settings: LiveSettings
  #socket: WebSocket | null = null
  #progress: Progress | null = null
  #retryMs = FIRST_RETRY_MS
  #retry: ReturnType<typeof setTimeout> | null = null
  #poll: ReturnType<typeof setTimeout> | null = null
  #isPolling = false
  #closed = false
  // Pictures are decoded one after the other; what comes meanwhile replaces what waits.
  #decoding = false
  #waiting: { blob: Blob; progress: Progress } | null = null

  /** @param apiUrl makes an absolute address of `live` and `progress` */
  constructor(
    apiUrl: (path: string) => string,
    run: string | null,
    settings: LiveSettings,
    handlers: LiveHandlers,
  ) {
    const query = run === null ? '' : `?run=${encodeURIComponent(run)}`
    this.#socketUrl = apiUrl(`live${query}`).replace(/^http/, 'ws')
    this.#pollUrl = apiUrl(`progress${query}`)
    this.#settings = settings
    this.#handlers = handlers
    handlers.onWay('connecting')
    document.addEventListener('visibilitychange', this.#onVisibility)
    this.#open()
  }

  set(settings: LiveSettings): void {
    this.#settings = settings
    this.#send({ type: 'every', steps: settings.every })
    this.#send({ type: 'unfocused', keep: settings.keep })
  }

  close(): void {
    this.#closed = true
    document.removeEventListener('visibilitychange', this.#onVisibility)
    this.#stopPolling()
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#socket?.close()
  }

  readonly #onVisibility = () => this.#send({ type: 'visibility', visible: !document.hidden })

  #open(): void {
    const socket = new WebSocket(this.#socketUrl)
    socket.binaryType = 'blob'
    this.#socket = socket
    socket.onopen = () => {
      this.#retryMs = FIRST_RETRY_MS
      this.#stopPolling()
      this.#handlers.onWay('socket')
      this.#onVisibility()
      this.set(this.#settings)
    }
    socket.onmessage = ({ data }) => (data instanceof Blob ? this.#onBytes(data) : this.#onText(String(data)))
    socket.onclose = () => {
      if (this.#closed) return
      this.#startPolling()
      this.#retry = setTimeout(() => this.#open(), this.#retryMs)
      this.#retryMs = Math.min(LONGEST_RETRY_MS, this.#retryMs * 2)
    }
  }

  #send(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message))
  }

  #onText(text: string): void {
    const progress = readProgress(JSON.parse(text))
    if (progress === null) return
    this.#progress = progress
    this.#handlers.onProgress(progress)
  }

  #onBytes(blob: Blob): void {
    if (this.#progress !== null) void this.#decode(blob, this.#progress)
  }

  async #decode(blob: Blob, progress: Progress): Promise<void> {
    if (this.#decoding) {
      this.#waiting = { blob, progress }
      return
    }
    this.#decoding = true
    try {
      // A content policy of 'self' forbids addresses of blobs, so the bytes go straight to a bitmap.
      const picture = await createImageBitmap(blob)
      if (this.#closed) picture.close()
      else this.#handlers.onPicture(picture, progress)
    } catch (error) {
      // A torn picture: the next step brings another.
      console.warn('a live picture could not be decoded', error)
    }
    this.#decoding = false
    const next = this.#waiting
    this.#waiting = null
    if (next !== null && !this.#closed) await this.#decode(next.blob, next.progress)
  }

  #startPolling(): void {
    if (this.#isPolling) return
    this.#isPolling = true
    void this.#ask()
  }

  #stopPolling(): void {
    this.#isPolling = false
    if (this.#poll !== null) clearTimeout(this.#poll)
    this.#poll = null
  }

  async #ask(): Promise<void> {
    const wants = !document.hidden || this.#settings.keep
    if (wants) this.#handlers.onWay((await this.#askOnce()) ? 'polling' : 'lost')
    if (this.#isPolling && !this.#closed) this.#poll = setTimeout(() => void this.#ask(), POLL_MS)
  }

  /** @returns whether the server answered */
  async #askOnce(): Promise<boolean> {
    try {
      const url = new URL(this.#pollUrl)
      if (this.#progress?.imageId != null) url.searchParams.set('since', String(this.#progress.imageId))
      const response = await fetch(url, { cache: 'no-store' })
      if (response.status === 304) return true
      if (!response.ok) return false
      const progress = readProgress(await response.json())
      if (progress === null || !this.#isPolling) return true
      const isNew = progress.imageUrl !== null && progress.imageId !== this.#progress?.imageId
      this.#progress = progress
      this.#handlers.onProgress(progress)
      if (isNew && progress.imageUrl !== null) {
        const picture = await fetch(new URL(progress.imageUrl, url), { cache: 'no-store' })
        if (picture.ok) await this.#decode(await picture.blob(), progress)
      }
      return true
    } catch (error) {
      // Without a connection fetch throws a TypeError, and half an answer is a SyntaxError.
      if (error instanceof TypeError || error instanceof SyntaxError) return false
      throw error
    }
  }
}
