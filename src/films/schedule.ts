/**
 * What a film shows when, counted in ticks: frames of a constant rate, milliseconds, or a GIF's hundredths of a second.
 * Each moment is brought to the nearest tick by itself, so that no error adds up. Pure.
 */
import { type FrameRate, nearestFrame } from '../media/frame-rate.ts'
import type { Cut, Cuts } from './cuts.ts'

/** What a cell shows: a picture, or one on its way into the next. */
export interface Shown {
  readonly picture: Cut['picture']
  /** Whence a cross-fade comes, and how far it is: above 0, below 1. */
  readonly from?: Cut['picture']
  readonly share?: number
}

export interface Moment {
  readonly tick: number
  /** A cell each. */
  readonly shown: readonly Shown[]
}

export interface FilmSchedule {
  /** Rising, the first at 0, none like the one before. */
  readonly moments: readonly Moment[]
  readonly endTick: number
}

export interface Ticks {
  /** The nearest tick of a moment. */
  readonly of: (ms: number) => number
  /** Ticks between two pictures of a cross-fade. */
  readonly fadeStep: number
  /** The fewest ticks that a picture stays; one that would stay less is left out. */
  readonly least: number
}

const MS_OF_FADE_STEP = 40

export function framesAt(rate: FrameRate): Ticks {
  return { of: (ms) => nearestFrame(ms, rate), fadeStep: 1, least: 1 }
}

export const MILLISECONDS: Ticks = { of: Math.round, fadeStep: MS_OF_FADE_STEP, least: 1 }
/** Browsers show a GIF's picture of less than 20 ms for 100. */
export const HUNDREDTHS: Ticks = {
  of: (ms) => Math.round(ms / 10),
  fadeStep: MS_OF_FADE_STEP / 10,
  least: 2,
}

/** @param cells those of a grid, or one */
export function filmSchedule(cells: readonly Cuts[], ticks: Ticks, fadeMs: number): FilmSchedule {
  const tracks = cells.map(({ cuts }) => trackOf(cuts, ticks, fadeMs))
  const places = tracks.map(() => 0)
  const moments: Moment[] = []
  for (const tick of [...new Set(tracks.flatMap((track) => track.map((entry) => entry.tick)))].sort(rising)) {
    const shown = tracks.map((track, cell) => {
      while ((track[places[cell]! + 1]?.tick ?? Number.POSITIVE_INFINITY) <= tick) places[cell]! += 1
      return track[places[cell]!]!.shown
    })
    moments.push({ tick, shown })
  }
  const last = moments.at(-1)?.tick ?? 0
  const endTick = Math.max(ticks.of(Math.max(...cells.map(({ endMs }) => endMs))), last + ticks.least)
  return { moments: withLeast(moments, ticks.least), endTick }
}

interface TrackEntry {
  readonly tick: number
  readonly shown: Shown
}

/** One cell's changes. Of several at one tick the last is left: what came before it was never seen. */
function trackOf(cuts: readonly Cut[], ticks: Ticks, fadeMs: number): TrackEntry[] {
  const seen = cuts
    .map(({ startMs, picture }) => ({ tick: ticks.of(startMs), picture }))
    .filter(({ tick }, at, all) => all[at + 1]?.tick !== tick)
  const fadeTicks = ticks.of(fadeMs)
  return seen.flatMap(({ tick, picture }, at) => {
    const before = seen[at - 1]
    const room = (seen[at + 1]?.tick ?? Number.POSITIVE_INFINITY) - tick
    const length = Math.min(fadeTicks, room)
    const entries: TrackEntry[] = []
    if (before) {
      for (let past = 0; past < length; past += ticks.fadeStep) {
        const share = (past + ticks.fadeStep) / (length + ticks.fadeStep)
        entries.push({ tick: tick + past, shown: { picture, from: before.picture, share } })
      }
    }
    // A fade that fills all the time to the next cut has no tick of its own for the picture alone.
    const settled = tick + (entries.length === 0 ? 0 : length)
    if (entries.length === 0 || length < room) entries.push({ tick: settled, shown: { picture } })
    return entries
  })
}

/** What would stay for less gives way to what follows; the first moment stays at 0. */
function withLeast(moments: readonly Moment[], least: number): Moment[] {
  const kept: Moment[] = []
  for (const moment of moments) {
    const before = kept.at(-1)
    if (!before || moment.tick - before.tick >= least) kept.push(moment)
    else if (kept.length > 1) {
      kept.pop()
      const start = Math.max(moment.tick, kept.at(-1)!.tick + least)
      kept.push({ ...moment, tick: start })
    } else kept[0] = { ...moment, tick: 0 }
  }
  return kept
}

const rising = (a: number, b: number) => a - b
