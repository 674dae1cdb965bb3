/** How a film is made of a variant's steps: the same for a command and for a sheet. */
import type { FrameRate } from '../media/frame-rate.ts'

/** Files that players open; a list of pictures with times, for FFmpeg; numbered pictures, for tools that take sequences. */
export const FILM_FORMATS = ['mp4', 'webm', 'webp', 'gif', 'ffconcat', 'prores', 'hap', 'frames'] as const
export type FilmFormat = (typeof FILM_FORMATS)[number]

/** `true`: as long as each step took. `even`: all alike, as long as that together. A number: so many times as fast. */
export type FilmPace = 'true' | 'even' | number

export interface FilmOptions {
  readonly format: FilmFormat
  readonly pace: FilmPace
  /** How long the final picture stays. */
  readonly holdMs: number
  /** Length of a cross-fade; 0: cuts. */
  readonly fadeMs: number
  /** Of formats that have one. */
  readonly frameRate: FrameRate
}

export const FILM_DEFAULTS = { format: 'mp4', pace: 'true', hold: '2s', fadeMs: 0, fps: 30 } as const

export const MAX_HOLD_MS = 600_000
export const MAX_FADE_MS = 10_000
export const MAX_FILM_FPS = 240
/** Of `pace`: from a thousandth of the speed to a thousand times as fast. */
export const MAX_PACE = 1000

/** `2s`, `1.5s`, `500ms`; null for anything else. */
export function parseDurationMs(text: string): number | null {
  const match = /^(\d{1,7}(?:\.\d{1,3})?)(ms|s)$/.exec(text)
  if (!match) return null
  return Number(match[1]) * (match[2] === 's' ? 1000 : 1)
}

/** `true`, `even`, or a factor above 0; null for anything else. */
export function parsePace(text: string): FilmPace | null {
  if (text === 'true' || text === 'even') return text
  const factor = /^\d{1,4}(\.\d{1,4})?$/.test(text) ? Number(text) : 0
  return factor >= 1 / MAX_PACE && factor <= MAX_PACE ? factor : null
}
