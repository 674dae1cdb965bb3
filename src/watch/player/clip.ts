/** The video that a video variant ends in: played when its last step is over, on the stage's own canvas. */
import { isRecord } from './timeline.ts'

export const CLIP_NAME = 'final.mp4'

/** How far the video may be from where the clock has it before it is moved; less is not seen, and a jump would be. */
const SLACK_S = 0.1
/** What browsers play at. */
const [SLOWEST, FASTEST] = [0.0625, 16]

export class Clip {
  readonly video: HTMLVideoElement
  /** At speed 1. */
  readonly durationMs: number

  private constructor(video: HTMLVideoElement) {
    this.video = video
    this.durationMs = video.duration * 1000
  }

  /** Resolves when its first frame can be shown. @throws Error where it cannot be played */
  static load(url: string, signal: AbortSignal): Promise<Clip> {
    const video = document.createElement('video')
    // The stage of another origin's page may be read as with pictures; and without sound no page forbids it to start.
    video.crossOrigin = 'anonymous'
    video.muted = true
    video.playsInline = true
    video.preload = 'auto'
    return new Promise((resolve, reject) => {
      video.onloadeddata = () => resolve(new Clip(video))
      video.onerror = () => reject(new Error(video.error?.message || 'cannot be played'))
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      video.src = url
    })
  }

  /** Brings it to where the clock is. */
  follow(offsetMs: number, playing: boolean, speed: number): void {
    const { video } = this
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
    this.video.pause()
    this.video.removeAttribute('src')
    this.video.load()
  }
}

/**
 * Whether a variant is a video, as its version's manifest says: to ask for a file that most variants do not have would
 * leave an error in the console of every page.
 * @param base the variant's folder, `…/<version>/cues/<cue>/<variant>/`
 */
export async function isVideo(base: string, signal: AbortSignal): Promise<boolean> {
  const tail = /\/cues\/[^/]+\/[^/]+\/$/.exec(new URL(base).pathname)?.[0]
  if (tail === undefined) return false
  const root = new URL('../../../manifest.json', base)
  try {
    const response = await fetch(root, { signal })
    const manifest: unknown = response.ok ? await response.json() : null
    const assets = isRecord(manifest) && Array.isArray(manifest.assets) ? manifest.assets : []
    const file = decodeURIComponent(tail) + CLIP_NAME
    return assets.some(
      (asset: unknown) =>
        isRecord(asset) &&
        asset.type === 'video' &&
        decodeURIComponent(new URL(String(asset.url), root).pathname).endsWith(file),
    )
  } catch {
    // Without a manifest that can be read it is what its pictures are.
    signal.throwIfAborted()
    return false
  }
}
