/** What there is to say of sheets in a queue. Pure. */
import type { QueueFailure, QueueSheet, QueueUnit } from '../data/queue-list.ts'
import { compareNatural, countOf } from './format.ts'

/** `ending`: every job is over, and its manifest is to be written. */
export type Standing = 'working' | 'waiting' | 'ending' | 'done' | 'partial' | 'cancelled'

export function standingOf({ state, active, waiting }: QueueSheet): Standing {
  if (state === 'done' || state === 'partial') return state
  if (active.length > 0) return 'working'
  if (state === 'cancelled') return 'cancelled'
  return waiting > 0 ? 'waiting' : 'ending'
}

/** Whether anything is still to come of it. */
export function isOpen(sheet: QueueSheet): boolean {
  return ['working', 'waiting', 'ending'].includes(standingOf(sheet))
}

export interface SheetProgress {
  /** 0 … 1. */
  readonly share: number
  /** `12 of 40`. */
  readonly text: string
  /** What is counted. */
  readonly noun: 'jobs' | 'units'
}

/** While it goes on, jobs since it was last put in; after its end, units that its bucket holds. */
export function progressOf(sheet: QueueSheet): SheetProgress {
  const { done, waiting, active, failed, whole, missing } = sheet
  const hasEnded = !isOpen(sheet) && whole !== null
  const [got, all] = hasEnded
    ? [whole, whole + (missing ?? 0)]
    : [done, done + waiting + active.length + failed]
  const noun = hasEnded ? 'units' : 'jobs'
  return { share: all === 0 ? 0 : got / all, text: `${count(got)} of ${count(all)}`, noun }
}

export interface FailureGroup {
  readonly code: string | null
  readonly message: string
  /** `dawn / seed-2`, or `unit 3 of the sheet`. */
  readonly units: readonly string[]
  readonly machines: readonly string[]
  /** The most that one of them was tried. */
  readonly tries: number
}

/** What failed for the same reason is told once, in the order in which it is told first. */
export function groupFailures(failures: readonly QueueFailure[]): readonly FailureGroup[] {
  const groups = new Map<string, { code: string | null; message: string; own: QueueFailure[] }>()
  for (const failure of failures) {
    const { code, message } = splitError(failure)
    const key = `${code} ${message}`
    const group = groups.get(key) ?? { code, message, own: [] }
    group.own.push(failure)
    groups.set(key, group)
  }
  return [...groups.values()].map(({ code, message, own }) => ({
    ...{ code, message },
    units: own.flatMap(namesOf).sort(compareNatural),
    machines: [...new Set(own.flatMap(({ machine }) => machine ?? []))].sort(compareNatural),
    tries: Math.max(...own.map(({ tries }) => tries)),
  }))
}

/** `E_NOT_FINITE: dawn/seed-2: vae decode: …` → its code, and what it says of any unit. */
function splitError({ error, cue, variant }: QueueFailure): Pick<FailureGroup, 'code' | 'message'> {
  const code = /^(E_[A-Z_\d]+): /.exec(error)?.[1] ?? null
  const rest = code === null ? error : error.slice(code.length + 2)
  const name = `${cue}/${variant}: `
  const message = rest.startsWith(name) ? rest.slice(name.length) : rest
  return { code, message: message === '' ? 'no reason is told' : message }
}

function namesOf({ units, cue, variant }: QueueFailure): string[] {
  // Of several units of a job the one is told that it was at last, which need not be the one that failed.
  if (units.length === 1 && cue !== null && variant !== null) return [`${cue} / ${variant}`]
  return units.map((place) => `unit ${place + 1} of the sheet`)
}

/** `dawn / seed-2, dawn / seed-3 and 6 more`. */
export function nameSome(names: readonly string[], shown = 3): string {
  const rest = names.length - shown
  if (rest <= 1) return names.join(', ')
  return `${names.slice(0, shown).join(', ')} and ${count(rest)} more`
}

/** Machines by their names, each with its devices. */
export function sortUnits(units: readonly QueueUnit[]): readonly QueueUnit[] {
  return [...units].sort(
    (a, b) => compareNatural(a.machine, b.machine) || compareNatural(a.device ?? '', b.device ?? ''),
  )
}

/** `2 sheets at work · 5 machines · 312 jobs waiting`. */
export function describeQueue(sheets: readonly QueueSheet[]): string {
  const working = sheets.filter((sheet) => standingOf(sheet) === 'working').length
  const machines = new Set(sheets.flatMap(({ active }) => active.map(({ machine }) => machine))).size
  const waiting = sheets.filter(isOpen).reduce((sum, sheet) => sum + sheet.waiting, 0)
  return [
    working === 0 ? 'nothing is at work' : `${countOf(working, 'sheet')} at work`,
    ...(machines > 0 ? [countOf(machines, 'machine')] : []),
    ...(waiting > 0 ? [`${countOf(waiting, 'job')} waiting`] : []),
  ].join(' · ')
}

/** Those at work first, then those that wait, in the order in which they were put in; then what has ended, the last first. */
export function sortSheets(sheets: readonly QueueSheet[]): {
  readonly open: readonly QueueSheet[]
  readonly over: readonly QueueSheet[]
} {
  const rank = (sheet: QueueSheet) => ['working', 'ending', 'waiting'].indexOf(standingOf(sheet))
  const open = sheets.filter(isOpen)
  const over = sheets.filter((sheet) => !isOpen(sheet))
  const when = ({ submitted }: QueueSheet) => submitted ?? 0
  const endOf = ({ ended, submitted }: QueueSheet) => ended ?? submitted ?? 0
  return {
    open: open.sort((a, b) => rank(a) - rank(b) || when(a) - when(b)),
    over: over.sort((a, b) => endOf(b) - endOf(a)),
  }
}

function count(value: number): string {
  return value.toLocaleString('en')
}
