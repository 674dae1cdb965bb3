/** Plays one or several variants in step, from one clock. */
import { closeFrames, errorText, type Frames, loadFrames, momentsOf, pictureAt } from '../../player/frames.ts'
import { fadeOf, Stage } from '../../player/stage.ts'
import { frameAt, type Timeline } from '../../player/timeline.ts'
import { Transport } from '../../player/transport.ts'
import { Store } from '../data/store.ts'

/** A variant to play. */
export interface Source {
  readonly key: string
  /** Its folder, with a slash at its end. */
  readonly folder: string
  /** Put behind addresses, against caches. */
  readonly mark: string
  /** The file of the video that comes after the steps; null: none. */
  readonly clip: string | null
}

export interface Tile {
  readonly source: Source
  frames: Frames | null
  /** Why it shows nothing. */
  fault: string | null
}

// For all pictures together: decoded ones take four bytes a pixel.
const MEMORY_BYTES = 1024 * 1024 * 1024
const FADE_AT_END_MS = 400

export class ReplayEngine extends Store {
  tiles: readonly Tile[] = []
  /** All are there, or have failed. */
  ready = false
  fade = false
  readonly #stages = new Map<number, Stage>()
  readonly #transport = new Transport({
    onDue: (index) => this.#paint(this.#moments[index] ?? 0, this.#gapAfter(index)),
    onRound: () => this.changed(),
    onEnd: () => this.changed(),
  })
  #moments: readonly number[] = []
  // Whether these pictures have been played at all.
  #begun = false
  #loading = new AbortController()
  #ahead: { keys: string; tiles: readonly Tile[]; done: Promise<void>; ended: AbortController } | null = null

  get playing(): boolean {
    return this.#transport.playing
  }

  get positionMs(): number {
    return this.#transport.positionMs
  }

  get totalMs(): number {
    return this.#transport.totalMs
  }

  /** Of the first variant that has step pictures: what the scrubber shows. */
  get lead(): Timeline | null {
    return this.tiles.find(({ frames }) => frames?.timeline)?.frames?.timeline ?? null
  }

  /** As `frameAt` counts, on the lead. */
  get frame(): number {
    const { lead } = this
    if (lead === null) return 0
    return this.positionMs === 0 && !this.#transport.atEnd ? 0 : frameAt(lead, this.positionMs)
  }

  /** There is nothing more to come: the end, or a picture without steps. */
  get ended(): boolean {
    return this.ready && this.#begun && !this.playing && this.#transport.atEnd
  }

  /** The stage keeps what it shows until the new pictures are there. */
  async load(sources: readonly Source[]): Promise<void> {
    this.#loading.abort()
    this.#transport.load([])
    const loading = new AbortController()
    this.#loading = loading
    this.ready = false
    this.#begun = false
    const before = this.tiles
    const ahead = this.#takeAhead(sources)
    this.tiles = ahead?.tiles ?? sources.map((source) => ({ source, frames: null, fault: null }))
    this.changed()
    for (const stage of this.#stages.values()) stage.release()
    for (const { frames } of before) if (frames !== null) closeFrames(frames)
    await (ahead?.done ?? this.#fetch(this.tiles, loading.signal))
    if (loading.signal.aborted) return
    this.#begin()
  }

  /** Fetches what comes next, so that it begins without a wait. */
  prepare(sources: readonly Source[]): void {
    const keys = keysOf(sources)
    if (this.#ahead?.keys === keys) return
    this.#dropAhead()
    const ended = new AbortController()
    const tiles: readonly Tile[] = sources.map((source) => ({ source, frames: null, fault: null }))
    this.#ahead = { keys, tiles, done: this.#fetch(tiles, ended.signal), ended }
  }

  /** @param canvas null when it leaves the page */
  attach(index: number, canvas: HTMLCanvasElement | null): void {
    if (canvas === null) return void this.#stages.delete(index)
    if (this.#stages.get(index)?.canvas === canvas) return
    this.#stages.set(index, new Stage(canvas))
    if (this.ready) this.#paint(this.positionMs, 0)
  }

  play(): void {
    if (!this.ready) return
    this.#begun = true
    this.#transport.play()
    this.#followClips()
    this.changed()
  }

  pause(): void {
    this.#transport.pause()
    this.#followClips()
    this.changed()
  }

  seek(positionMs: number): void {
    this.#transport.seek(positionMs)
    this.#paint(this.positionMs, 0)
  }

  /** To the frame before or after, and stops there. */
  stepBy(change: number): void {
    const { lead } = this
    if (lead === null) return
    this.#transport.pause()
    const frame = Math.max(0, Math.min(lead.dueMs.length, this.frame + change))
    this.seek(frame === 0 ? 0 : (lead.dueMs[frame - 1] ?? 0))
  }

  set(speed: number, loop: boolean, fade: boolean, holdMs: number): void {
    if (speed !== this.#transport.speed) this.#transport.setSpeed(speed)
    this.#transport.loop = loop
    this.#transport.holdMs = holdMs
    this.fade = fade
    this.#followClips()
    this.changed()
  }

  close(): void {
    this.#loading.abort()
    this.#dropAhead()
    this.#transport.load([])
    for (const stage of this.#stages.values()) stage.stop()
    for (const { frames } of this.tiles) if (frames !== null) closeFrames(frames)
    this.tiles = []
  }

  async #fetch(tiles: readonly Tile[], signal: AbortSignal): Promise<void> {
    const memoryLimitBytes = MEMORY_BYTES / Math.max(1, tiles.length)
    await Promise.all(
      tiles.map(async (tile) => {
        try {
          const query = tile.source.mark === '' ? '' : `v=${tile.source.mark}`
          const { folder, clip } = tile.source
          const frames = await loadFrames(folder, { signal, memoryLimitBytes, query, clip })
          if (signal.aborted) closeFrames(frames)
          else tile.frames = frames
        } catch (error) {
          if (!signal.aborted) tile.fault = errorText(error)
        }
        this.changed()
      }),
    )
  }

  #begin(): void {
    const moments = new Set<number>()
    for (const { frames } of this.tiles) for (const due of frames ? momentsOf(frames) : []) moments.add(due)
    this.#moments = [...moments].sort((a, b) => a - b)
    this.#transport.load(this.#moments)
    this.ready = true
    // Variants without step pictures have but one to show.
    this.#paint(0, 0, true)
    this.changed()
  }

  #paint(positionMs: number, gapMs: number, keep = false): void {
    for (const [index, { frames }] of this.tiles.entries()) {
      const stage = this.#stages.get(index)
      if (stage === undefined || frames === null) continue
      if (stage.canvas.width !== frames.width || stage.canvas.height !== frames.height) {
        stage.resize(frames.width, frames.height)
      }
      const isStart = positionMs === 0 && !this.#transport.atEnd
      const frame = frames.timeline === null ? 1 : isStart ? 0 : frameAt(frames.timeline, positionMs)
      if (frame === 0 && keep) continue
      if (isClipAt(frames, frame)) continue
      stage.show(pictureAt(frames, frame), this.fade && gapMs > 0 ? fadeOf(gapMs, this.#transport.speed) : 0)
    }
    this.#followClips()
    this.changed()
  }

  /** Videos show where the clock is, once their steps are over. */
  #followClips(): void {
    const { positionMs, playing, speed, atEnd } = this.#transport
    for (const [index, { frames }] of this.tiles.entries()) {
      const stage = this.#stages.get(index)
      if (!frames?.clip || stage === undefined) continue
      const { timeline, clip } = frames
      const steps = timeline?.steps ?? 0
      const isBegun = positionMs > 0 || atEnd || steps === 0
      const isOver = isBegun && (timeline === null || frameAt(timeline, positionMs) > steps)
      if (isOver) stage.film(clip)
      clip.follow(isOver ? positionMs - (timeline?.totalMs ?? 0) : 0, isOver && playing, speed)
    }
  }

  #gapAfter(index: number): number {
    const [now, next] = [this.#moments[index], this.#moments[index + 1]]
    return now === undefined || next === undefined ? FADE_AT_END_MS * this.#transport.speed : next - now
  }

  #takeAhead(sources: readonly Source[]) {
    const ahead = this.#ahead
    if (ahead?.keys !== keysOf(sources)) return null
    this.#ahead = null
    return ahead
  }

  #dropAhead(): void {
    this.#ahead?.ended.abort()
    for (const { frames } of this.#ahead?.tiles ?? []) if (frames !== null) closeFrames(frames)
    this.#ahead = null
  }
}

/** Whether a frame is the video's. */
function isClipAt({ timeline, clip }: Frames, frame: number): boolean {
  return clip !== null && (timeline === null || frame > timeline.steps)
}

function keysOf(sources: readonly Source[]): string {
  return sources.map(({ folder, mark }) => `${folder} ${mark}`).join('\n')
}
