/** Sheets of a queue that machines share, as `GET /api/queue` lists them. What is of another kind than expected is null. */
import { isRecord } from '../../player/timeline.ts'
import { finiteNumber, stringOrNull } from './show.ts'

export interface QueueUnit {
  readonly machine: string
  readonly device: string | null
  readonly cue: string | null
  readonly variant: string | null
  readonly step: number | null
  readonly steps: number | null
  /** Milliseconds since 1970, by the machine's clock. */
  readonly since: number | null
}

export interface QueueFailure {
  /** Places of its units in the sheet, from 0. */
  readonly units: readonly number[]
  readonly cue: string | null
  readonly variant: string | null
  readonly machine: string | null
  readonly tries: number
  readonly error: string
}

export interface QueueSheet {
  readonly id: string
  readonly name: string
  readonly version: string
  /** `queued`, `done`, `partial`, `cancelled`. */
  readonly state: string
  /** Milliseconds since 1970. */
  readonly submitted: number | null
  readonly ended: number | null
  readonly units: number
  /** Jobs. */
  readonly waiting: number
  readonly done: number
  readonly failed: number
  readonly active: readonly QueueUnit[]
  readonly failures: readonly QueueFailure[]
  /** Units at the last end. */
  readonly whole: number | null
  readonly missing: number | null
}

/** Entries without an id are left out. */
export function readQueue(value: unknown): QueueSheet[] {
  return listOf(value).flatMap((entry) => {
    const id = stringOrNull(entry.id)
    if (id === null) return []
    return {
      id,
      name: stringOrNull(entry.name) ?? '?',
      version: stringOrNull(entry.version) ?? id,
      state: stringOrNull(entry.state) ?? 'unknown',
      submitted: timeOf(entry.submitted),
      ended: timeOf(entry.ended),
      units: finiteNumber(entry.units) ?? 0,
      waiting: finiteNumber(entry.waiting) ?? 0,
      done: finiteNumber(entry.done) ?? 0,
      failed: finiteNumber(entry.failed) ?? 0,
      active: listOf(entry.active).map(readUnit),
      failures: listOf(entry.failures).map(readFailure),
      whole: finiteNumber(entry.whole),
      missing: finiteNumber(entry.missing),
    }
  })
}

function readUnit(entry: Readonly<Record<string, unknown>>): QueueUnit {
  return {
    machine: stringOrNull(entry.machine) ?? '?',
    device: stringOrNull(entry.device),
    cue: stringOrNull(entry.cue),
    variant: stringOrNull(entry.variant),
    step: finiteNumber(entry.step),
    steps: finiteNumber(entry.steps),
    since: timeOf(entry.since),
  }
}

function readFailure(entry: Readonly<Record<string, unknown>>): QueueFailure {
  const { units } = entry
  return {
    units: Array.isArray(units) ? units.filter((unit) => Number.isSafeInteger(unit)) : [],
    cue: stringOrNull(entry.cue),
    variant: stringOrNull(entry.variant),
    machine: stringOrNull(entry.machine),
    tries: finiteNumber(entry.tries) ?? 0,
    error: stringOrNull(entry.error) ?? '',
  }
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}

function timeOf(value: unknown): number | null {
  const time = Date.parse(stringOrNull(value) ?? '')
  return Number.isNaN(time) || time === 0 ? null : time
}
