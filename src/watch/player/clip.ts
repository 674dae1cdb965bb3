/** The video that a video variant ends in: played when its last step is over, on the stage's own canvas. */
import { isRecord } from './timeline.ts'

/** An animated WebP, which no `<video>` plays. */
export const ANIMATION_NAME = 'final.webp'
/** What is played. */
const CLIP_NAMES: readonly string[] = ['final.mp4', 'final.webm', ANIMATION_NAME, 'final.mov']
/** By the attribute `type`. */
const CLIP_TYPES: Readonly<Record<string, string>> = {
  video: 'final.mp4',
  'video/mp4': 'final.mp4',
  'video/webm': 'final.webm',
  'image/webp': ANIMATION_NAME,
  'video/quicktime': 'final.mov',
}

/** The video's file by the attribute `type`; null: none, undefined: there is no such attribute. */
export function clipOfType(type: string | null): string | null | undefined {
  return type === null ? undefined : (CLIP_TYPES[type] ?? null)
}

/** The video's file by its address, whose last part it is; null: it is no video that is played. */
export function clipOfUrl(url: string): string | null {
  const name = url.slice(url.lastIndexOf('/') + 1)
  return CLIP_NAMES.includes(name) ? name : null
}

/** How far the video may be from where the clock has it before it is moved; less is not seen, and a jump would be. */
const SLACK_S = 0.1
/** What browsers play at. */
const [SLOWEST, FASTEST] = [0.0625, 16]

/** What a variant ends in, and what moves. */
export interface Clip {
  /** At speed 1. */
  readonly durationMs: number
  /** What it shows now; null: nothing yet. */
  picture(): CanvasImageSource | null
  /** Brings it to where the clock is. */
  follow(offsetMs: number, playing: boolean, speed: number): void
  close(): void
}

/** `HTMLMediaElement.HAVE_CURRENT_DATA`, where there is no DOM. */
const HAVE_CURRENT_DATA = 2

export class VideoClip implements Clip {
  readonly #video: HTMLVideoElement
  readonly durationMs: number

  private constructor(video: HTMLVideoElement) {
    this.#video = video
    this.durationMs = video.duration * 1000
  }

  /** Resolves when its first frame can be shown. @throws Error where it cannot be played */
  static load(url: string, signal: AbortSignal): Promise<VideoClip> {
    const video = document.createElement('video')
    // The stage of another origin's page may be read as with pictures; and without sound no page forbids it to start.
    video.crossOrigin = 'anonymous'
    video.muted = true
    video.playsInline = true
    video.preload = 'auto'
    return new Promise((resolve, reject) => {
      video.onloadeddata = () => resolve(new VideoClip(video))
      video.onerror = () => reject(new Error(video.error?.message || 'cannot be played'))
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      video.src = url
    })
  }

  picture(): HTMLVideoElement | null {
    return this.#video.readyState >= HAVE_CURRENT_DATA ? this.#video : null
  }

  follow(offsetMs: number, playing: boolean, speed: number): void {
    const video = this.#video
    const at = Math.max(0, Math.min(offsetMs, this.durationMs - 1)) / 1000
    if (!playing || Math.abs(video.currentTime - at) > SLACK_S) video.currentTime = at
    video.playbackRate = Math.min(FASTEST, Math.max(SLOWEST, speed))
    if (!playing) video.pause()
    else if (video.paused && offsetMs < this.durationMs) {
      // Rejected where a pause comes first, which is no fault.
      video.play().catch(() => undefined)
    }
  }

  close(): void {
    this.#video.pause()
    this.#video.removeAttribute('src')
    this.#video.load()
  }
}

/**
 * The video's file of a variant, as its version's manifest says, or null where it is none: to ask for a file that most variants do
 * not have would leave an error in the console of every page.
 * @param base the variant's folder, `…/<version>/cues/<cue>/<variant>/`
 */
export async function findClip(base: string, signal: AbortSignal): Promise<string | null> {
  const tail = /\/cues\/[^/]+\/[^/]+\/$/.exec(new URL(base).pathname)?.[0]
  if (tail === undefined) return null
  const root = new URL('../../../manifest.json', base)
  try {
    const response = await fetch(root, { signal })
    const manifest: unknown = response.ok ? await response.json() : null
    const assets = isRecord(manifest) && Array.isArray(manifest.assets) ? manifest.assets : []
    const folder = decodeURIComponent(tail)
    for (const asset of assets) {
      if (!isRecord(asset) || asset.type !== 'video') continue
      const path = decodeURIComponent(new URL(String(asset.url), root).pathname)
      const name = clipOfUrl(path)
      if (name !== null && path.endsWith(folder + name)) return name
    }
    return null
  } catch {
    // Without a manifest that can be read it is what its pictures are.
    signal.throwIfAborted()
    return null
  }
}
