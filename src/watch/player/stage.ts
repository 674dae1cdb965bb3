/** One canvas that shows pictures by a cut or a cross-fade, and what moves. */
import type { Clip } from './clip.ts'

export class Stage {
  readonly canvas: HTMLCanvasElement
  readonly #context: CanvasRenderingContext2D | null
  #shown: ImageBitmap | null = null
  #fade = 0
  #film: Clip | null = null

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas
    this.#context = canvas.getContext('2d')
  }

  /** Sets the canvas's own size, in pixels; empties it when that changes. */
  resize(width: number, height: number): void {
    if (this.canvas.width === width && this.canvas.height === height) return
    this.canvas.width = width
    this.canvas.height = height
    if (this.#context) this.#context.imageSmoothingQuality = 'high'
    this.#shown = null
  }

  /** @param fadeMs 0: a cut */
  show(picture: ImageBitmap | null, fadeMs = 0): void {
    if (picture === this.#shown) return
    this.stop()
    const before = this.#shown
    this.#shown = picture
    if (picture === null || fadeMs <= 0) {
      if (picture === null) this.#clear()
      else this.#draw(picture, 1)
      return
    }
    const startedAt = performance.now()
    const paint = () => {
      const share = Math.min(1, (performance.now() - startedAt) / fadeMs)
      if (before) this.#draw(before, 1)
      else this.#clear()
      this.#draw(picture, share)
      if (share < 1) this.#fade = requestAnimationFrame(paint)
    }
    paint()
  }

  /** Shows a video from now on, whatever it does, until something else is shown. */
  film(clip: Clip): void {
    if (this.#film === clip) return
    this.stop()
    this.#shown = null
    this.#film = clip
    const paint = () => {
      if (this.#film !== clip) return
      const picture = clip.picture()
      if (picture !== null) this.#draw(picture, 1)
      this.#fade = requestAnimationFrame(paint)
    }
    paint()
  }

  /** Ends a fade or a video where it is. Call before pictures are closed. */
  stop(): void {
    this.#film = null
    cancelAnimationFrame(this.#fade)
  }

  /** Forgets what is shown, and leaves it in view. */
  release(): void {
    this.stop()
    this.#shown = null
  }

  #clear(): void {
    this.#context?.clearRect(0, 0, this.canvas.width, this.canvas.height)
  }

  #draw(picture: CanvasImageSource, opacity: number): void {
    if (this.#context === null) return
    this.#context.globalAlpha = opacity
    this.#context.drawImage(picture, 0, 0, this.canvas.width, this.canvas.height)
    this.#context.globalAlpha = 1
  }
}

/** Long enough to be seen as a fade, short enough to be over before the next step. */
export function fadeOf(gapMs: number, speed: number): number {
  return Math.min(400, Math.max(60, (gapMs / speed) * 0.8))
}
