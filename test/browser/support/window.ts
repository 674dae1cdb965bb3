/** What the tests' own scripts put on a page's window, with its types. */
import type { PregenPlayer } from '../../../src/watch/player/element.ts'

/** An event of a player as the page had it. */
export interface Told {
  readonly type: string
  readonly step: number
  readonly steps: number
  readonly plannedMs: number
  readonly actualMs: number
  /** Of `error`. */
  readonly file: string | null
  /** By the page's own clock, since `play()`. */
  readonly at: number
  /** Red of the picture in the middle of the stage, at that moment. */
  readonly red: number
}

export interface Finding {
  readonly id: string
  readonly impact: string | null
  readonly nodes: readonly { readonly html: string }[]
}

declare global {
  interface Window {
    axe: { run(): Promise<{ violations: Finding[] }> }
    player: PregenPlayer
    told: Told[]
    begun: number
    turns: number[]
    /** Messages and pictures of sockets that a test opened in the page. */
    pictures: number[]
  }
}
