/** What the address asks the replay to show. */
import { keyOf, type Variant } from '../data/show.ts'
import type { Route } from '../route.ts'

export const STAGE_LAYOUTS = ['one', 'side', 'slider', 'cue'] as const
export type StageLayout = (typeof STAGE_LAYOUTS)[number]

export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8] as const
export type Speed = (typeof SPEEDS)[number]

export interface Choice {
  readonly layout: StageLayout
  readonly main: Variant | null
  /** The one beside it, in the two layouts that compare. */
  readonly other: Variant | null
  /** What is played, in order. */
  readonly shown: readonly Variant[]
  /** Members of the cue that are beyond what fits. */
  readonly leftOut: number
  readonly speed: Speed
  readonly loop: boolean
  readonly fade: boolean
  /** Cues played one after the other; empty: no playlist. */
  readonly list: readonly string[]
  /** The playlist moves on by itself, or on a key. */
  readonly advance: 'auto' | 'key'
}

/** More than these in step would be too small to see, and too many pictures to hold. */
const MOST_TILES = 36

export function readChoice({ path, params }: Route, variants: readonly Variant[]): Choice {
  const done = variants.filter(({ state, facts }) => state === 'done' || facts.sha256 !== null)
  const [cue, id] = path
  const list = (params.list ?? '').split('|').filter((each) => done.some((variant) => variant.cue === each))
  const layout = STAGE_LAYOUTS.find((name) => name === params.layout) ?? 'one'
  const ofCue = done.filter((variant) => variant.cue === (cue ?? list[0]))
  const main =
    ofCue.find(({ variant }) => variant === id) ??
    ofCue.find(({ hasTiming }) => hasTiming) ??
    ofCue[0] ??
    done.find(({ hasTiming }) => hasTiming) ??
    done[0] ??
    null
  const members = main === null ? [] : done.filter((variant) => variant.cue === main.cue)
  const other = main === null ? null : findOther(done, main, params.with)
  const pair = [main, other].flatMap((variant) => variant ?? [])
  const shown = layout === 'cue' ? members.slice(0, MOST_TILES) : layout === 'one' ? pair.slice(0, 1) : pair
  return {
    ...{ layout, main, other, shown, list },
    leftOut: layout === 'cue' ? members.length - shown.length : 0,
    speed: SPEEDS.find((speed) => String(speed) === params.speed) ?? 1,
    loop: params.loop === '1',
    fade: params.fade === '1',
    advance: params.advance === 'key' ? 'key' : 'auto',
  }
}

/** The one asked for; else the next of its cue; else any other. */
function findOther(done: readonly Variant[], main: Variant, wanted: string | undefined): Variant | null {
  const asked = done.find((variant) => keyOf(variant) === wanted)
  if (asked) return asked
  const others = done.filter((variant) => variant !== main)
  const siblings = others.filter((variant) => variant.cue === main.cue)
  return (
    siblings.find((variant) => variant.index > main.index) ??
    siblings[0] ??
    others.find(({ hasTiming }) => hasTiming) ??
    null
  )
}

/** The cue of the playlist that comes so many places later; null beyond its ends. */
export function cueAfter({ list, main }: Choice, places: number): string | null {
  const at = main === null ? -1 : list.indexOf(main.cue)
  return list[at + places] ?? null
}
