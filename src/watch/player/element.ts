/** `<pregen-player>`: shows how a picture formed, at the pace at which it did. No dependencies. */

import { clipOfType } from './clip.ts'
import { Controls } from './controls.ts'
import { closeFrames, errorText, type Frames, loadFrames, momentsOf, pictureAt } from './frames.ts'
import type { PlayerErrorDetail, PregenPlayerEventMap, ReadyDetail, StepDetail } from './player-events.ts'
import { fadeOf, Stage } from './stage.ts'
import { createSheet } from './style.ts'
import { frameAt, type Timeline } from './timeline.ts'
import { Transport } from './transport.ts'

interface Loaded {
  readonly frames: Frames
  readonly timeline: Timeline
}

/** A variant without step pictures: the final one is there at once. */
const AT_ONCE: Timeline = { steps: 0, dueMs: [0], totalMs: 0 }

// Where there is no DOM (a server that renders pages) the module can still be imported.
const Base: typeof HTMLElement = globalThis.HTMLElement ?? Object

/**
 * Attributes: `src` (the variant's folder), `type` (`image` | `video`, an MP4, | `video/webm` | `image/webp` | `video/quicktime`; else the version's manifest tells), `autoplay`, `loop`, `speed` (1), `from` (`first` | `final`), `transition`
 * (`cut` | `fade`), `controls`, `lead` (`empty` | `first`), `hold` (milliseconds of rest between rounds, 0).
 * Events: `ready`, `step`, `final`, `error`.
 */
export class PregenPlayer extends Base {
  static readonly observedAttributes = ['src', 'loop', 'speed', 'controls', 'hold']
  readonly #stage: Stage
  readonly #controls: Controls
  readonly #transport: Transport
  #loading: AbortController | null = null
  #whenLoaded: Promise<Loaded | null> = Promise.resolve(null)
  #loaded: Loaded | null = null
  #wantsPlay = false

  constructor() {
    super()
    const root = this.attachShadow({ mode: 'open' })
    root.adoptedStyleSheets = [createSheet()]
    const canvas = document.createElement('canvas')
    canvas.part.add('stage')
    canvas.setAttribute('role', 'img')
    this.#stage = new Stage(canvas)
    this.#transport = new Transport({
      onDue: (index, plannedMs, actualMs) => this.#onDue(index, plannedMs, actualMs),
      onRound: () => this.#controls.update(),
      onEnd: () => this.#controls.update(),
    })
    this.#controls = new Controls(this.#transport, {
      play: () => void this.play(),
      pause: () => this.pause(),
      seek: (frame) => this.seek(frame),
    })
    root.append(canvas, this.#controls.element)
  }

  override addEventListener<Type extends keyof PregenPlayerEventMap>(
    type: Type,
    listener: (event: PregenPlayerEventMap[Type]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener, options)
  }

  connectedCallback(): void {
    this.#stage.canvas.setAttribute('aria-label', this.getAttribute('aria-label') ?? 'How a picture formed')
    if (this.#loading === null) this.#load()
  }

  disconnectedCallback(): void {
    this.#unload()
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (name === 'src' && this.isConnected && before !== after) this.#load()
    if (name === 'loop') this.#transport.loop = after !== null
    if (name === 'speed') {
      this.#transport.setSpeed(positiveOr(after, 1))
      this.#followClip()
    }
    if (name === 'hold') this.#transport.holdMs = positiveOr(after, 0)
    if (name === 'controls') this.#controls.element.hidden = after === null
  }

  /** Whether it plays now. */
  get playing(): boolean {
    return this.#transport.playing
  }

  /** Length at speed 1, in milliseconds; 0 before `ready`. */
  get durationMs(): number {
    return this.#transport.totalMs
  }

  /** Where it is, in milliseconds at speed 1. */
  get positionMs(): number {
    return this.#transport.positionMs
  }

  /** Goes on; from the beginning when it is at the end. Resolves when it has started: all pictures are decoded then. */
  async play(): Promise<void> {
    this.#wantsPlay = true
    const loaded = await this.#whenLoaded
    if (loaded === null || loaded !== this.#loaded || !this.#wantsPlay) return
    this.#transport.play()
    this.#followClip()
    this.#controls.update()
  }

  pause(): void {
    this.#wantsPlay = false
    this.#transport.pause()
    this.#followClip()
    this.#controls.update()
  }

  /** Shows a step at once: 0 is the beginning, beyond the last step is the final picture. Playing goes on from there. */
  seek(step: number): void {
    if (this.#loaded === null) return
    const { frames, timeline } = this.#loaded
    const frame = Math.max(0, Math.min(Math.trunc(step) || 0, timeline.dueMs.length))
    this.#transport.seek(frame === 0 ? 0 : (timeline.dueMs[frame - 1] ?? 0))
    if (frame <= timeline.steps || frames.clip === null)
      this.#stage.show(pictureAt(frames, frame === 0 && this.getAttribute('lead') === 'first' ? 1 : frame))
    this.#followClip()
    this.#controls.update()
  }

  #load(): void {
    this.#unload()
    const src = this.getAttribute('src')
    if (src === null || src === '') return
    const loading = new AbortController()
    this.#loading = loading
    this.#whenLoaded = this.#fetch(src, loading.signal)
  }

  async #fetch(src: string, signal: AbortSignal): Promise<Loaded | null> {
    try {
      const base = new URL(src.endsWith('/') ? src : `${src}/`, document.baseURI).href
      const frames = await loadFrames(base, { signal, clip: clipOfType(this.getAttribute('type')) })
      if (signal.aborted) {
        closeFrames(frames)
        return null
      }
      return this.#begin(frames)
    } catch (error) {
      if (!signal.aborted) this.#fail(null, errorText(error))
      return null
    }
  }

  #begin(frames: Frames): Loaded {
    const timeline = frames.timeline ?? AT_ONCE
    const loaded = { frames, timeline }
    this.#loaded = loaded
    this.#stage.resize(frames.width, frames.height)
    const moments = momentsOf(frames)
    this.#transport.load(moments.length > 0 ? moments : timeline.dueMs)
    this.#controls.load(timeline, moments.length > 0)
    for (const fault of frames.faults) this.#fail(fault.file, fault.message)
    const { steps } = timeline
    const durationMs = this.#transport.totalMs
    this.#tell('ready', { steps, width: frames.width, height: frames.height, durationMs })
    if (frames.timeline === null) {
      this.seek(1)
      this.#tell('final', { step: 0, steps, plannedMs: 0, actualMs: 0 })
    } else if (this.getAttribute('from') === 'final') this.seek(steps + 1)
    else if (this.getAttribute('lead') === 'first') this.#stage.show(pictureAt(frames, 1))
    if (this.hasAttribute('autoplay') && moments.length > 0) void this.play()
    return loaded
  }

  #unload(): void {
    this.#loading?.abort()
    this.#loading = null
    this.#transport.load([])
    this.#stage.release()
    if (this.#loaded) closeFrames(this.#loaded.frames)
    this.#loaded = null
    this.#whenLoaded = Promise.resolve(null)
    this.#controls.load(AT_ONCE, false)
  }

  #onDue(index: number, plannedMs: number, actualMs: number): void {
    if (this.#loaded === null) return
    const { frames, timeline } = this.#loaded
    const frame = index + 1
    // The end of a video, which stays at its last frame.
    if (frame > timeline.dueMs.length) {
      this.#followClip()
      return
    }
    // Late by more than a picture: those that are over are told, and not drawn.
    if (frameAt(timeline, this.#transport.positionMs) === frame) {
      const gapMs = (timeline.dueMs[frame] ?? Number.POSITIVE_INFINITY) - (timeline.dueMs[index] ?? 0)
      if (frame > timeline.steps && frames.clip) this.#followClip()
      else
        this.#stage.show(pictureAt(frames, frame), this.#isFade() ? fadeOf(gapMs, this.#transport.speed) : 0)
    }
    const isFinal = frame > timeline.steps
    const step = Math.min(frame, timeline.steps)
    this.#tell(isFinal ? 'final' : 'step', { step, steps: timeline.steps, plannedMs, actualMs })
    this.#controls.update()
  }

  /** A video shows where the clock is, once its steps are over; before that it waits at its beginning. */
  #followClip(): void {
    const { clip } = this.#loaded?.frames ?? {}
    if (!clip || !this.#loaded) return
    const { timeline } = this.#loaded
    const { positionMs, playing, speed, atEnd } = this.#transport
    const isOver =
      frameAt(timeline, positionMs) > timeline.steps && (positionMs > 0 || timeline.steps === 0 || atEnd)
    if (isOver) this.#stage.film(clip)
    clip.follow(isOver ? positionMs - timeline.totalMs : 0, isOver && playing, speed)
  }

  #isFade(): boolean {
    return (
      this.getAttribute('transition') === 'fade' && !matchMedia('(prefers-reduced-motion: reduce)').matches
    )
  }

  #fail(file: string | null, message: string): void {
    if (file === null) this.#controls.tell(`The picture cannot be shown: ${message}.`)
    this.#tell('error', { file, message })
  }

  #tell(type: keyof PregenPlayerEventMap, detail: StepDetail | ReadyDetail | PlayerErrorDetail): void {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }
}

function positiveOr(text: string | null, fallback: number): number {
  const value = Number(text)
  return text !== null && Number.isFinite(value) && value > 0 ? value : fallback
}
